#if Production
    import Crdkafka
    import Ports

    extension KafkaErrorCode {
        static let invalidGroupID = KafkaErrorCode(rawValue: 24)
        static let invalidConfiguration = KafkaErrorCode(rawValue: 40)
        /// The client's own codes have librdkafka's numbers (`rd_kafka_resp_err_t`).
        static let requestTimedOutLocally = KafkaErrorCode(rawValue: -185)
        static let wrongState = KafkaErrorCode(rawValue: -172)
        static let noOffset = KafkaErrorCode(rawValue: -168)
    }

    /// How librdkafka's errors become the port's.
    enum KafkaErrors {
        /// The protocol's code, where librdkafka has one of its own for the same thing.
        static func code(_ error: rd_kafka_resp_err_t) -> KafkaErrorCode {
            switch error {
            case RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED: .producerFenced
            case RD_KAFKA_RESP_ERR__TIMED_OUT: .requestTimedOutLocally
            case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC: .unknownTopicOrPartition
            default: KafkaErrorCode(rawValue: Int16(truncatingIfNeeded: error.rawValue))
            }
        }

        static func description(_ error: rd_kafka_resp_err_t) -> String {
            rd_kafka_err2str(error).map { String(cString: $0) } ?? "error \(error.rawValue)"
        }

        /// C text up to its end.
        static func text(_ bytes: [CChar]) -> String {
            String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        /// A call that cannot be made in this state: nothing was done.
        static func refused(_ message: String) -> EventLogError {
            EventLogError(.wrongState, message, outcome: .noEffect)
        }

        /// What became of one record that was not acknowledged.
        static func delivery(
            _ message: UnsafePointer<rd_kafka_message_t>, of client: ClientPointer, isTransactional: Bool
        ) -> EventLogError {
            let error = message.pointee.err
            let outcome: EventLogError.Outcome =
                switch rd_kafka_message_status(message) {
                case RD_KAFKA_MSG_STATUS_NOT_PERSISTED: .noEffect
                case RD_KAFKA_MSG_STATUS_PERSISTED: .tookEffect
                default: .unknown
                }
            if let fatal = client.fatalError {
                return EventLogError(fatal.code, fatal.message, outcome: outcome, isFatal: true)
            }
            let topic = message.pointee.rkt.flatMap { rd_kafka_topic_name($0) }.map { String(cString: $0) } ?? "?"
            return EventLogError(
                code(error), "\(topic)-\(message.pointee.partition) did not take a record: \(description(error))",
                outcome: outcome, requiresAbort: isTransactional)
        }

        /// What a call about a transaction ended with; `nil` for success. Destroys the error.
        static func transaction(
            _ error: OpaquePointer?, _ what: String, of client: ClientPointer
        ) -> EventLogError? {
            guard let error else { return nil }
            defer { rd_kafka_error_destroy(error) }
            let code = rd_kafka_error_code(error)
            let message = rd_kafka_error_string(error).map { String(cString: $0) } ?? description(code)
            if rd_kafka_error_is_fatal(error) == 1 {
                let cause = client.fatalError
                return EventLogError(
                    cause?.code ?? self.code(code), "\(what) failed: \(message)", outcome: .noEffect, isFatal: true)
            }
            let isTimeout = code == RD_KAFKA_RESP_ERR__TIMED_OUT
            return EventLogError(
                self.code(code),
                isTimeout
                    ? "\(what) was still under way when its time was over; call again" : "\(what) failed: \(message)",
                outcome: isTimeout ? .unknown : .noEffect, requiresAbort: rd_kafka_error_txn_requires_abort(error) == 1)
        }

        /// Whether the same call may succeed a little later.
        static func isRetriable(_ error: rd_kafka_resp_err_t) -> Bool {
            switch error {
            case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
                RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__WAIT_COORD,
                RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
                RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
                RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_NOT_CONTROLLER,
                RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
                RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
                true
            default: false
            }
        }
    }
#endif
