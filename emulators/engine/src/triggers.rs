//! From a change of an object to the functions that wait for it.
