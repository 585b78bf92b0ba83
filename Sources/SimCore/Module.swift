/// Filled in as the module grows.
enum SimCoreModule {}
