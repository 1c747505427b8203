"""A museum of backward passes that people write: wrong ones with what is wrong with them, and right ones."""
