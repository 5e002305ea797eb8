//! Endpoints and layered, typed settings.
