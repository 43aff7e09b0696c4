"""Contrastive-GAN Transformer anomaly detection for multivariate time series."""
