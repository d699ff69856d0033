//! The Lambda Runtime API: the pull protocol that runtimes speak.
