enum AdapterJSONModule {}
