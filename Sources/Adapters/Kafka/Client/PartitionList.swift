#if Production
    import Crdkafka
    import Ports

    /// A list of partitions as librdkafka takes and gives them (`rd_kafka_topic_partition_list_t`). Owned by whoever
    /// holds it: freed with the last reference.
    final class PartitionList: @unchecked Sendable {
        let raw: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

        init(_ partitions: some Collection<TopicPartition>) {
            raw = rd_kafka_topic_partition_list_new(Int32(partitions.count))
            for partition in partitions {
                rd_kafka_topic_partition_list_add(raw, partition.topic, partition.partition)
            }
        }

        init(_ positions: [CommittedOffset]) {
            raw = rd_kafka_topic_partition_list_new(Int32(positions.count))
            for position in positions {
                let name = position.topicPartition
                rd_kafka_topic_partition_list_add(raw, name.topic, name.partition).pointee.offset = position.offset
            }
        }

        /// Topics to subscribe to.
        init(topics: [String]) {
            raw = rd_kafka_topic_partition_list_new(Int32(topics.count))
            for topic in topics { rd_kafka_topic_partition_list_add(raw, topic, RD_KAFKA_PARTITION_UA) }
        }

        deinit { rd_kafka_topic_partition_list_destroy(raw) }

        /// The first error of any partition.
        var firstError: rd_kafka_resp_err_t { raw.pointee.firstError }
        var partitions: [TopicPartition] { raw.pointee.partitions }

        /// Partitions with an offset that is one: others have none.
        var offsets: [CommittedOffset] {
            raw.pointee.elements.compactMap { element in
                element.offset < 0 ? nil : CommittedOffset(element.topicPartition, element.offset)
            }
        }
    }

    extension rd_kafka_topic_partition_list_t {
        var elements: UnsafeBufferPointer<rd_kafka_topic_partition_t> {
            UnsafeBufferPointer(start: elems, count: Int(cnt))
        }
        var partitions: [TopicPartition] { elements.map(\.topicPartition) }
        var firstError: rd_kafka_resp_err_t {
            elements.first { $0.err != RD_KAFKA_RESP_ERR_NO_ERROR }?.err ?? RD_KAFKA_RESP_ERR_NO_ERROR
        }
    }

    extension rd_kafka_topic_partition_t {
        var topicPartition: TopicPartition { TopicPartition(String(cString: topic), partition) }
    }
#endif
