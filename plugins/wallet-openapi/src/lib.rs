//! wallet-openapi
