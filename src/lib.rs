//! mlemu
