//! The object core: one store under every cloud's dialect.
