//! Structure as tests: layers, sizes, names.
