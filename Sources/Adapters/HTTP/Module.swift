enum AdapterHTTPModule {}
