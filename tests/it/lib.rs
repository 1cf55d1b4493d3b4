//! Nothing: the tests are in the target `it`, and a package needs a library to be one.
