"""Kernels on signals, images, tables and series of numbers."""

from __future__ import annotations

import numpy as np

from tests.kernels.kernel import Kernel, uniform

__all__ = ["KERNELS"]


def go_fast(a):
    trace = 0.0
    for i in range(a.shape[0]):
        trace += np.tanh(a[i, i])
    return a + trace


def compute(array_1, array_2, a, b, c):
    return np.clip(array_1, 0.4, 1.0) * a + array_2 * b + c


def arc_distance(theta_1, phi_1, theta_2, phi_2):
    temp = np.sin((theta_2 - theta_1) / 2) ** 2 + np.cos(theta_1) * np.cos(theta_2) * np.sin((phi_2 - phi_1) / 2) ** 2
    return 2 * np.arctan2(np.sqrt(temp), np.sqrt(1 - temp))


def azimint_naive(data, radius, npt):
    rmax = radius.max()
    res = np.zeros(npt, dtype=np.float64)
    for i in range(npt):
        r1 = rmax * i / npt
        r2 = rmax * (i + 1) / npt
        mask_r12 = np.logical_and((r1 <= radius), (radius < r2))
        values_r12 = data[mask_r12]
        res[i] = values_r12.mean()
    return res


def azimint_hist(data, radius, npt):
    histu = np.histogram(radius, npt)[0]
    histw = np.histogram(radius, npt, weights=data)[0]
    return histw / histu


def stockham_fft(real, imag):
    n = len(real)
    x = np.zeros(n, dtype=complex)
    x.real = real
    x.imag[:] = imag
    y = np.empty_like(x)
    half, stride = n // 2, 1
    while half >= 1:
        for j in range(half):
            w = np.exp(-1j * np.pi * j / half)
            for k in range(stride):
                c0 = x[k + j * stride]
                c1 = x[k + j * stride + half * stride]
                y[k + 2 * j * stride] = c0 + c1
                y[k + 2 * j * stride + stride] = w * (c0 - c1)
        x, y = y, x
        half //= 2
        stride *= 2
    return x.real, x.imag


def pairwise_distances(x, y):
    n, m = len(x), len(y)
    distances = np.zeros((n, m))
    for i in range(n):
        for j in range(m):
            for k in range(x.shape[1]):
                distances[i, j] += (x[i, k] - y[j, k]) ** 2
            distances[i, j] **= 0.5
    return distances


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1 - x[:-1]) ** 2.0)


def rolling_mean(values, window):
    result = np.full(len(values), np.nan)
    running = 0.0
    for i in range(len(values)):
        running += values[i]
        if i >= window:
            running -= values[i - window]
        if i >= window - 1:
            result[i] = running / window
    return result[~np.isnan(result)]


def exponential_smoothing(values, alpha, beta):
    level = np.empty_like(values)
    trend = np.empty_like(values)
    level[0], trend[0] = values[0], values[1] - values[0]
    for t in range(1, len(values)):
        level[t] = alpha * values[t] + (1 - alpha) * (level[t - 1] + trend[t - 1])
        trend[t] = beta * (level[t] - level[t - 1]) + (1 - beta) * trend[t - 1]
    return level + trend


def median_filter(image):
    filtered = image.copy()
    for i in range(1, image.shape[0] - 1):
        for j in range(1, image.shape[1] - 1):
            window = image[i - 1 : i + 2, j - 1 : j + 2].flatten()
            window.sort()
            filtered[i, j] = window[4]
    return filtered


def harris_corners(image, k):
    Ix = np.zeros_like(image)
    Iy = np.zeros_like(image)
    Ix[1:-1] = (image[2:] - image[:-2]) / 2
    Iy[:, 1:-1] = (image[:, 2:] - image[:, :-2]) / 2
    sums = []
    for product in (Ix * Ix, Iy * Iy, Ix * Iy):
        box = np.zeros_like(product)
        for di in (-1, 0, 1):
            for dj in (-1, 0, 1):
                box[1:-1, 1:-1] += product[1 + di : product.shape[0] - 1 + di, 1 + dj : product.shape[1] - 1 + dj]
        sums.append(box)
    Sxx, Syy, Sxy = sums
    return Sxx * Syy - Sxy**2 - k * (Sxx + Syy) ** 2


def bilinear_resize(image, rows, cols):
    result = np.zeros((rows, cols))
    for i in range(rows):
        for j in range(cols):
            y = i * (image.shape[0] - 1) / (rows - 1)
            x = j * (image.shape[1] - 1) / (cols - 1)
            y0, x0 = min(int(y), image.shape[0] - 2), min(int(x), image.shape[1] - 2)
            fy, fx = y - y0, x - x0
            result[i, j] = (
                image[y0, x0] * (1 - fy) * (1 - fx)
                + image[y0, x0 + 1] * (1 - fy) * fx
                + image[y0 + 1, x0] * fy * (1 - fx)
                + image[y0 + 1, x0 + 1] * fy * fx
            )
    return result


def haar_transform(signal):
    data = signal.copy()
    length = len(data)
    while length > 1:
        half = length // 2
        even, odd = data[0:length:2].copy(), data[1:length:2].copy()
        data[:half] = (even + odd) / np.sqrt(2)
        data[half:length] = (even - odd) / np.sqrt(2)
        length = half
    return data


def linear_recurrence(x, a, b):
    y = np.zeros(len(x))
    for n in range(len(x)):
        for k in range(len(b)):
            if n - k >= 0:
                y[n] += b[k] * x[n - k]
        for k in range(1, len(a)):
            if n - k >= 0:
                y[n] -= a[k] * y[n - k]
        y[n] /= a[0]
    return y


def binomial_option(spot, strike, rate, sigma, maturity, steps):
    dt = maturity / steps
    up = np.exp(sigma * np.sqrt(dt))
    p = (np.exp(rate * dt) - 1 / up) / (up - 1 / up)
    values = np.zeros(steps + 1)
    for j in range(steps + 1):
        values[j] = max(strike - spot * up ** (2 * j - steps), 0)
    for n in range(steps - 1, -1, -1):
        for j in range(n + 1):
            values[j] = np.exp(-rate * dt) * (p * values[j + 1] + (1 - p) * values[j])
            exercise = strike - spot * up ** (2 * j - n)
            if exercise > values[j]:
                values[j] = exercise
    return values[0]


def horner_in_place(coefficients, x):
    result = np.zeros_like(x)
    for c in coefficients:
        np.multiply(result, x, out=result)
        np.add(result, c, out=result)
    return result


def prefix_sums(values):
    tree = values.copy()
    offset = 1
    while offset < len(tree):
        tree[offset:] += tree[:-offset].copy()
        offset *= 2
    return tree


def histogram_of_gradients(image, bins):
    gx, gy = np.empty(image.shape), np.empty(image.shape)
    gx[:, 0] = gx[:, -1] = 0
    gx[:, 1:-1] = image[:, 2:] - image[:, :-2]
    gy[0, :] = gy[-1, :] = 0
    gy[1:-1, :] = image[2:, :] - image[:-2, :]
    magnitude = np.hypot(gx[1:-1, 1:-1], gy[1:-1, 1:-1])
    angle = np.rad2deg(np.arctan2(gy[1:-1, 1:-1], gx[1:-1, 1:-1])) % 180
    histogram = np.zeros(bins)
    slot = (angle // (180 / bins)).astype(int) % bins
    np.add.at(histogram, slot, magnitude)
    return histogram / np.sqrt(np.sum(histogram**2) + 1e-6)


KERNELS = [
    Kernel(go_fast, (uniform(4, 4),)),
    Kernel(compute, (uniform(3, 4), uniform(3, 4, seed=1), 4.0, 3.0, 9.0)),
    Kernel(arc_distance, tuple(uniform(5, seed=k) for k in range(4))),
    Kernel(azimint_naive, (uniform(40), uniform(40, seed=1), 4)),
    Kernel(azimint_hist, (uniform(40), uniform(40, seed=1), 4)),
    Kernel(stockham_fft, (uniform(8), uniform(8, seed=1))),
    Kernel(pairwise_distances, (uniform(3, 2), uniform(4, 2))),
    Kernel(rosenbrock, (uniform(6),)),
    Kernel(rolling_mean, (uniform(8), 3)),
    Kernel(exponential_smoothing, (uniform(6), 0.4, 0.3)),
    Kernel(median_filter, (uniform(5, 4),)),
    Kernel(harris_corners, (uniform(5, 6), 0.05)),
    Kernel(bilinear_resize, (uniform(3, 4), 4, 5)),
    Kernel(haar_transform, (uniform(8),)),
    Kernel(linear_recurrence, (uniform(7), uniform(3), uniform(2))),
    Kernel(binomial_option, (1.0, 1.1, 0.05, 0.3, 1.0, 5)),
    Kernel(horner_in_place, (uniform(4), uniform(3, 2))),
    Kernel(prefix_sums, (uniform(9),)),
    Kernel(histogram_of_gradients, (uniform(6, 5), 4)),
]
