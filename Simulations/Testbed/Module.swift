enum TestbedModule {}
