"""Networks in plain NumPy, and their gradients."""
