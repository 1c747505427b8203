def mean_squared_hvp(X, w, y, v_w):
    """The Hessian of mean_squared times vectors for w."""
    n = X.shape[0]

    # r = X @ w - y    line 44
    Hv = 2 / n * (X @ v_w @ X)

    return {"w": Hv}
