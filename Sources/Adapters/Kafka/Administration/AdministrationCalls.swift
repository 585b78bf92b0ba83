#if Production
    import AdapterSystem
    import Crdkafka
    import Glibc
    import Ports

    /// Calls that wait for the cluster, each tried again until its deadline.
    struct AdministrationCalls {
        struct TopicMetadata: Sendable {
            let partitions: [PartitionReplicas]
        }

        private let client: ClientPointer
        private let deadline: Int64

        /// - Parameter deadline: in ``AdapterSystem/SocketReactor/now``.
        init(_ client: ClientPointer, _ deadline: Int64) {
            self.client = client
            self.deadline = deadline
        }

        private var remainingMilliseconds: Int32 {
            Int32(clamping: max(1, (deadline - SocketReactor.now) / 1_000_000))
        }

        /// Repeats what fails for the moment.
        private func retrying<Value>(
            _ what: String, _ body: () -> Result<Value, LibraryError>
        ) -> Result<Value, EventLogError> {
            while true {
                switch body() {
                case .success(let value): return .success(value)
                case .failure(let error):
                    guard KafkaErrors.isRetriable(error.code) else {
                        return .failure(
                            EventLogError(
                                KafkaErrors.code(error.code), "\(what) was refused: \(error.message)",
                                outcome: .noEffect))
                    }
                    guard SocketReactor.now < deadline else {
                        return .failure(
                            EventLogError(
                                .requestTimedOutLocally,
                                "no answer to \(what) in time; the last error was: \(error.message)",
                                outcome: .unknown))
                    }
                    usleep(50_000)
                }
            }
        }

        // MARK: Topics

        func createTopic(_ specification: TopicSpecification) -> Result<Void, EventLogError> {
            var isInDoubt = false
            return retrying("createTopic \(specification.name)") {
                let result = createOnce(specification)
                guard case .failure(let error) = result else { return result }
                // After a request without an answer, the topic may be this call's own.
                if error.code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, isInDoubt { return .success(()) }
                if KafkaErrors.isRetriable(error.code) { isInDoubt = true }
                return result
            }
        }

        private func createOnce(_ specification: TopicSpecification) -> Result<Void, LibraryError> {
            var text = [CChar](repeating: 0, count: 512)
            guard
                let topic = rd_kafka_NewTopic_new(
                    specification.name, specification.partitionCount, Int32(specification.replicationFactor), &text,
                    text.count)
            else {
                // Refused here, before any broker could: with the broker's codes.
                let code =
                    specification.partitionCount < 1
                    ? RD_KAFKA_RESP_ERR_INVALID_PARTITIONS : RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR
                return .failure(LibraryError(code, KafkaErrors.text(text)))
            }
            defer { rd_kafka_NewTopic_destroy(topic) }
            for (name, value) in specification.configuration {
                rd_kafka_NewTopic_set_config(topic, name, value)
            }
            return ask(RD_KAFKA_ADMIN_OP_CREATETOPICS) { options, queue in
                var topics: [OpaquePointer?] = [topic]
                rd_kafka_CreateTopics(client.raw, &topics, 1, options, queue)
            } answer: { event in
                guard let result = rd_kafka_event_CreateTopics_result(event) else { return .success(()) }
                var count = 0
                guard let topics = rd_kafka_CreateTopics_result_topics(result, &count), count == 1 else {
                    return .success(())
                }
                let code = rd_kafka_topic_result_error(topics[0])
                guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return .success(()) }
                let message = rd_kafka_topic_result_error_string(topics[0]).map { String(cString: $0) }
                return .failure(LibraryError(code, message ?? KafkaErrors.description(code)))
            }
        }

        /// `nil` when there is no such topic.
        func metadata(of topic: String) -> Result<TopicMetadata?, EventLogError> {
            retrying("a look at topic \(topic)") {
                guard let handle = rd_kafka_topic_new(client.raw, topic, nil) else {
                    return .failure(LibraryError(rd_kafka_last_error()))
                }
                defer { rd_kafka_topic_destroy(handle) }
                var metadata: UnsafePointer<rd_kafka_metadata>?
                let code = rd_kafka_metadata(client.raw, 0, handle, &metadata, min(remainingMilliseconds, 5_000))
                guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else { return .failure(LibraryError(code)) }
                defer { rd_kafka_metadata_destroy(metadata) }
                guard metadata.pointee.topic_cnt == 1 else { return .success(nil) }
                let found = metadata.pointee.topics[0]
                switch found.err {
                case RD_KAFKA_RESP_ERR_NO_ERROR: return .success(Self.read(found))
                case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC: return .success(nil)
                default: return .failure(LibraryError(found.err))
                }
            }
        }

        private static func read(_ topic: rd_kafka_metadata_topic) -> TopicMetadata {
            var partitions = Array(
                repeating: PartitionReplicas(leader: nil, inSyncReplicas: []), count: Int(topic.partition_cnt))
            for partition in UnsafeBufferPointer(start: topic.partitions, count: Int(topic.partition_cnt)) {
                guard partitions.indices.contains(Int(partition.id)) else { continue }
                partitions[Int(partition.id)] = PartitionReplicas(
                    leader: partition.leader >= 0 ? partition.leader : nil,
                    inSyncReplicas: Array(UnsafeBufferPointer(start: partition.isrs, count: Int(partition.isr_cnt)))
                        .sorted())
            }
            return TopicMetadata(partitions: partitions)
        }

        // MARK: Offsets

        func logOffsets(of partition: TopicPartition) -> Result<LogOffsets, EventLogError> {
            retrying("a look at the log of \(partition)") {
                var earliest: Int64 = 0
                var latest: Int64 = 0
                let code = rd_kafka_query_watermark_offsets(
                    client.raw, partition.topic, partition.partition, &earliest, &latest,
                    min(remainingMilliseconds, 5_000))
                switch code {
                case RD_KAFKA_RESP_ERR_NO_ERROR: return .success(LogOffsets(earliest: earliest, latest: latest))
                // A topic that has only just been created is not known everywhere.
                case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
                    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
                    return .failure(LibraryError(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, KafkaErrors.description(code)))
                default: return .failure(LibraryError(code))
                }
            }
        }

        func committedOffsets(ofGroup group: String) -> Result<[CommittedOffset], EventLogError> {
            retrying("a look at the offsets of group \(group)") {
                guard let request = rd_kafka_ListConsumerGroupOffsets_new(group, nil) else {
                    return .failure(LibraryError(RD_KAFKA_RESP_ERR_INVALID_GROUP_ID))
                }
                defer { rd_kafka_ListConsumerGroupOffsets_destroy(request) }
                return ask(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS) { options, queue in
                    var requests: [OpaquePointer?] = [request]
                    rd_kafka_ListConsumerGroupOffsets(client.raw, &requests, 1, options, queue)
                } answer: { event in
                    Self.offsets(event)
                }
            }
        }

        private static func offsets(_ event: OpaquePointer) -> Result<[CommittedOffset], LibraryError> {
            guard let result = rd_kafka_event_ListConsumerGroupOffsets_result(event) else { return .success([]) }
            var count = 0
            guard let groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count), count == 1 else {
                return .success([])
            }
            if let error = rd_kafka_group_result_error(groups[0]) {
                return .failure(LibraryError(rd_kafka_error_code(error)))
            }
            guard let partitions = rd_kafka_group_result_partitions(groups[0]) else { return .success([]) }
            let offsets = partitions.pointee.elements.compactMap { element in
                element.offset < 0 ? nil : CommittedOffset(element.topicPartition, element.offset)
            }
            return .success(offsets.sorted { $0.topicPartition < $1.topicPartition })
        }

        // MARK: Requests

        /// Sends a request and waits for its answer, on a queue of its own.
        private func ask<Value>(
            _ operation: rd_kafka_admin_op_t, _ send: (OpaquePointer?, OpaquePointer?) -> Void,
            answer: (OpaquePointer) -> Result<Value, LibraryError>
        ) -> Result<Value, LibraryError> {
            let queue = rd_kafka_queue_new(client.raw)
            defer { rd_kafka_queue_destroy(queue) }
            let options = rd_kafka_AdminOptions_new(client.raw, operation)
            defer { rd_kafka_AdminOptions_destroy(options) }
            var text = [CChar](repeating: 0, count: 512)
            let timeout = min(remainingMilliseconds, 30_000)
            rd_kafka_AdminOptions_set_request_timeout(options, timeout, &text, text.count)
            send(options, queue)
            guard let event = rd_kafka_queue_poll(queue, timeout + 1_000) else {
                return .failure(LibraryError(RD_KAFKA_RESP_ERR__TIMED_OUT))
            }
            defer { rd_kafka_event_destroy(event) }
            let code = rd_kafka_event_error(event)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
                let message = rd_kafka_event_error_string(event).map { String(cString: $0) }
                return .failure(LibraryError(code, message ?? KafkaErrors.description(code)))
            }
            return answer(event)
        }
    }

    /// An error as librdkafka gives it.
    struct LibraryError: Error {
        let code: rd_kafka_resp_err_t
        let message: String

        init(_ code: rd_kafka_resp_err_t, _ message: String? = nil) {
            self.code = code
            self.message = message ?? KafkaErrors.description(code)
        }
    }

    extension TopicSpecification {
        /// The topic's settings by Kafka's names.
        fileprivate var configuration: [(name: String, value: String)] {
            [
                ("min.insync.replicas", String(minimumInSyncReplicas)),
                ("unclean.leader.election.enable", allowsUncleanLeaderElection ? "true" : "false"),
                ("cleanup.policy", isCompacted ? "compact" : "delete"),
                ("retention.ms", String(retention?.wholeMilliseconds ?? -1)),
                ("segment.ms", String(segmentSpan.wholeMilliseconds)),
                ("segment.bytes", String(segmentByteLimit)),
                ("delete.retention.ms", String(tombstoneRetention.wholeMilliseconds)),
            ]
        }
    }
#endif
