enum AdapterPostgresModule {}
