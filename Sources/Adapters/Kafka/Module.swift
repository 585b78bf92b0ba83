enum AdapterKafkaModule {}
