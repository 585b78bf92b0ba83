#if Production
    import Crdkafka
    import Ports
    import Synchronization

    /// What a client reports beside its work: statistics, errors that it deals with by itself, and log lines.
    final class ClientJournal: Sendable {
        private struct State {
            var statistics: KafkaStatistics?
        }

        private let clientID: String
        private let log: (any ServiceLog)?
        private let state = Mutex(State())

        init(clientID: String, log: (any ServiceLog)?) {
            self.clientID = clientID
            self.log = log
        }

        /// The latest, if any have come yet.
        var statistics: KafkaStatistics? { state.withLock { $0.statistics } }

        /// Takes an event that is not part of the client's work. The caller destroys it.
        func note(_ event: OpaquePointer) {
            switch rd_kafka_event_type(event) {
            case RD_KAFKA_EVENT_STATS: noteStatistics(event)
            case RD_KAFKA_EVENT_LOG: noteLine(event)
            case RD_KAFKA_EVENT_ERROR:
                let message = rd_kafka_event_error_string(event).map { String(cString: $0) } ?? "no message"
                let code = rd_kafka_event_error(event).rawValue
                log?.log(.warning, "Kafka client \(clientID): \(message)", [LogField("code", String(code))])
            default: break
            }
        }

        private func noteStatistics(_ event: OpaquePointer) {
            guard let text = rd_kafka_event_stats(event) else { return }
            var length = 0
            while text[length] != 0 { length += 1 }
            let statistics = text.withMemoryRebound(to: UInt8.self, capacity: length) {
                KafkaStatistics(reading: UnsafeBufferPointer(start: $0, count: length))
            }
            if let statistics { state.withLock { $0.statistics = statistics } }
        }

        private func noteLine(_ event: OpaquePointer) {
            guard let log else { return }
            var facility: UnsafePointer<CChar>?
            var message: UnsafePointer<CChar>?
            var severity: Int32 = 0
            guard rd_kafka_event_log(event, &facility, &message, &severity) == 0, let message else { return }
            // syslog's numbers: 3 and less are errors, 4 warnings, 7 debugging.
            let level: LogLevel = severity <= 3 ? .error : severity == 4 ? .warning : severity < 7 ? .info : .debug
            log.log(level, String(cString: message), [LogField("client", clientID)])
        }
    }
#endif
