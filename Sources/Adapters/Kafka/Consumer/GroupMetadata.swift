#if Production
    import Crdkafka

    /// Who a consumer is within its group at one moment: its member id and generation, by which offsets in a transaction are
    /// fenced (KIP-447).
    final class GroupMetadata: @unchecked Sendable {
        let raw: OpaquePointer

        /// Asks the consumer; waits for its thread. `nil` when it was closed.
        init?(of consumer: ClientPointer) {
            guard let raw = rd_kafka_consumer_group_metadata(consumer.raw) else { return nil }
            self.raw = raw
        }

        deinit { rd_kafka_consumer_group_metadata_destroy(raw) }
    }
#endif
