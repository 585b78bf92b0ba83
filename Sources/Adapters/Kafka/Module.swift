// Without the trait `Production` this module is empty: it needs librdkafka.
