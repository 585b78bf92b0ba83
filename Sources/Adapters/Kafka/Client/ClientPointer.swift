#if Production
    import Crdkafka
    import Ports

    /// A librdkafka client (`rd_kafka_t`), whose functions may be called from any thread.
    struct ClientPointer: @unchecked Sendable {
        let raw: OpaquePointer

        init(_ raw: OpaquePointer) { self.raw = raw }

        /// The error after which the client can do nothing more, if there was one.
        var fatalError: EventLogError? {
            var text = [CChar](repeating: 0, count: 512)
            let code = rd_kafka_fatal_error(raw, &text, text.count)
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
            return EventLogError(
                KafkaErrors.code(code), KafkaErrors.text(text), outcome: .noEffect, isFatal: true)
        }
    }

    /// A queue of librdkafka (`rd_kafka_queue_t`).
    struct QueuePointer: @unchecked Sendable {
        let raw: OpaquePointer

        init(_ raw: OpaquePointer) { self.raw = raw }

        /// The next event, if there is one; to be destroyed by the caller.
        func next(timeoutMilliseconds: Int32 = 0) -> OpaquePointer? { rd_kafka_queue_poll(raw, timeoutMilliseconds) }
    }
#endif
