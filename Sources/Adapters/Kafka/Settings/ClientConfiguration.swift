#if Production
    import Crdkafka
    import Ports

    /// The settings of one librdkafka client, collected and then applied.
    struct ClientConfiguration {
        private var properties: [KafkaSettings.Property]
        private let further: [KafkaSettings.Property]
        private let events: Int32

        /// - Parameter events: which of `RD_KAFKA_EVENT_*` come as events, beside errors, log lines and statistics.
        init(_ settings: KafkaSettings, clientID: String, events: Int32 = 0) {
            self.events = events | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_STATS
            further = settings.properties
            properties = [
                KafkaSettings.Property("bootstrap.servers", settings.bootstrapServers),
                KafkaSettings.Property("client.id", clientID),
                KafkaSettings.Property("log.queue", "true"),
                // As Java clients: a broker that comes back is found within a second.
                KafkaSettings.Property("reconnect.backoff.ms", "50"),
                KafkaSettings.Property("reconnect.backoff.max.ms", "1000"),
                KafkaSettings.Property("topic.metadata.refresh.fast.interval.ms", "100"),
            ]
            set("statistics.interval.ms", settings.statisticsInterval)
        }

        mutating func set(_ name: String, _ value: String) { properties.append(KafkaSettings.Property(name, value)) }
        mutating func set(_ name: String, _ value: Int) { set(name, String(value)) }
        mutating func set(_ name: String, _ value: Bool) { set(name, value ? "true" : "false") }
        /// Milliseconds, rounded up.
        mutating func set(_ name: String, _ value: Nanoseconds) { set(name, Int(value.wholeMilliseconds)) }

        /// Makes the client; from then on its threads run.
        ///
        /// - Throws: ``Ports/EventLogError`` 40 (INVALID_CONFIG) that names the setting.
        func open(_ type: rd_kafka_type_t) throws(EventLogError) -> ClientPointer {
            guard let configuration = rd_kafka_conf_new() else {
                throw EventLogError(.invalidConfiguration, "librdkafka is out of memory", outcome: .noEffect)
            }
            var text = [CChar](repeating: 0, count: 512)
            for property in properties + further {
                guard
                    rd_kafka_conf_set(configuration, property.name, property.value, &text, text.count)
                        == RD_KAFKA_CONF_OK
                else {
                    rd_kafka_conf_destroy(configuration)
                    throw Self.refused("setting \(property.name)", text)
                }
            }
            rd_kafka_conf_set_events(configuration, events)
            // Owns the configuration only when it succeeds.
            guard let client = rd_kafka_new(type, configuration, &text, text.count) else {
                rd_kafka_conf_destroy(configuration)
                throw Self.refused("the client", text)
            }
            rd_kafka_set_log_queue(client, nil)
            return ClientPointer(client)
        }

        private static func refused(_ what: String, _ text: [CChar]) -> EventLogError {
            EventLogError(
                .invalidConfiguration, "librdkafka refuses \(what): \(KafkaErrors.text(text))", outcome: .noEffect)
        }
    }

    extension Nanoseconds {
        /// Milliseconds, rounded up.
        var wholeMilliseconds: Int64 { (rawValue + 999_999) / 1_000_000 }
        /// What librdkafka takes as a timeout.
        var timeoutMilliseconds: Int32 { Int32(clamping: max(0, wholeMilliseconds)) }
    }
#endif
