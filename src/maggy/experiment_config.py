"""Configs where Maggy 1.0 had them."""

from maggy.config import BaseConfig, HyperparameterOptConfig, LagomConfig, OptimizationConfig

__all__ = ["BaseConfig", "HyperparameterOptConfig", "LagomConfig", "OptimizationConfig"]
