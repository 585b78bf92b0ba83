#if Production
    import AdapterSystem
    import Crdkafka
    import Ports
    import Synchronization

    /// A librdkafka consumer: a polling task takes records from its queue by itself, and is woken when there are some.
    final class ConsumerConnection: Sendable {
        /// What a look at the queue found.
        enum Found {
            case nothing
            case records([ConsumerRecord], [CommittedOffset])
            /// Partitions are given or taken; to be destroyed by whoever deals with it.
            case rebalance(RebalanceEvent)
            case failed(EventLogError, TopicPartition?)
        }

        private struct Waiting {
            /// Something came since the last look.
            var isSignalled = false
            var caller: WaitingCaller<Void>?
            var deadline: Int64 = .max
        }

        private struct Commits {
            var nextID = 1
            var waiting: [Int: WaitingCaller<rd_kafka_resp_err_t>] = [:]
            /// When each is given up; the order of their beginning.
            var deadlines: [(id: Int, deadline: Int64)] = []
        }

        let client: ClientPointer
        let journal: ClientJournal
        /// For calls that wait for a broker or for librdkafka's own thread.
        let worker = WorkerThread("kafka-consumer")
        private let waiting = Mutex(Waiting())
        private let commits = Mutex(Commits())
        private let records: Mutex<EventQueue?>
        private let commitResults: Mutex<EventQueue?>
        private let postponed = Mutex<RebalanceEvent?>(nil)

        init(_ client: ClientPointer, journal: ClientJournal) {
            self.client = client
            self.journal = journal
            records = Mutex(nil)
            commitResults = Mutex(nil)
            // Errors and statistics come the same way as records. Looking at any queue counts as a poll for
            // max.poll.interval.ms, so nothing but a poll may look.
            rd_kafka_poll_set_consumer(client.raw)
            let recordQueue = EventQueue(
                rd_kafka_queue_get_consumer(client.raw), ready: { [weak self] in self?.signal() },
                late: { [weak self] in self?.deadlinePassed($0) })
            records.withLock { $0 = recordQueue }
            recordQueue.begin()
            let commitQueue = EventQueue(
                rd_kafka_queue_new(client.raw), ready: { [weak self] in self?.takeCommitResults() },
                late: { [weak self] in self?.giveUpCommits($0) })
            commitResults.withLock { $0 = commitQueue }
        }

        /// Held while the reactor's thread takes results: the client must not be destroyed under it.
        private let taking = Mutex(())

        // MARK: Records

        /// Takes what there is, at most `limit` records. Does not wait.
        func look(limit: Int) -> Found {
            if let event = takePostponed() { return .rebalance(event) }
            guard let queue = records.withLock({ $0?.queue }) else { return .nothing }
            var decoder = RecordDecoder()
            while decoder.records.count < limit, let event = queue.next() {
                switch rd_kafka_event_type(event) {
                case RD_KAFKA_EVENT_FETCH:
                    if let message = rd_kafka_event_message_next(event) { decoder.add(message) }
                    rd_kafka_event_destroy(event)
                case RD_KAFKA_EVENT_REBALANCE:
                    let rebalance = RebalanceEvent(event, client)
                    guard !decoder.records.isEmpty else { return .rebalance(rebalance) }
                    // What was taken is handed out first: those partitions are still owned.
                    postponed.withLock { $0 = rebalance }
                    decoder.finish()
                    return .records(decoder.records, decoder.positions)
                case RD_KAFKA_EVENT_ERROR:
                    let failure = failure(event)
                    if failure == nil { journal.note(event) }
                    rd_kafka_event_destroy(event)
                    if case (let error, let partition)? = failure, decoder.records.isEmpty {
                        return .failed(error, partition)
                    }
                default:
                    journal.note(event)
                    rd_kafka_event_destroy(event)
                }
            }
            guard !decoder.records.isEmpty else { return .nothing }
            decoder.finish()
            return .records(decoder.records, decoder.positions)
        }

        /// What a poll has to say; `nil` for what the client deals with by itself.
        private func failure(_ event: OpaquePointer) -> (EventLogError, TopicPartition?)? {
            let code = rd_kafka_event_error(event)
            let message =
                rd_kafka_event_error_string(event).map { String(cString: $0) } ?? KafkaErrors.description(code)
            if rd_kafka_event_error_is_fatal(event) == 1 {
                return (EventLogError(KafkaErrors.code(code), message, outcome: .noEffect, isFatal: true), nil)
            }
            switch code {
            case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
                // Both causes have this code; only the text says which.
                let isOutOfRange = message.contains(KafkaErrors.description(RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE))
                let name = rd_kafka_event_topic_partition(event)
                defer { if let name { rd_kafka_topic_partition_destroy(name) } }
                let partition = name?.pointee.topicPartition
                return (
                    EventLogError(
                        isOutOfRange ? .offsetOutOfRange : .noOffset,
                        "\(partition.map { "\($0): " } ?? "")\(message), and auto.offset.reset is none",
                        outcome: .noEffect), partition
                )
            case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
                RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED, RD_KAFKA_RESP_ERR_INVALID_GROUP_ID,
                RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
                return (
                    EventLogError(
                        KafkaErrors.code(code), "the group refused this member: \(message)", outcome: .noEffect,
                        isFatal: true), nil
                )
            default: return nil
            }
        }

        /// Waits until there may be something, or until `deadline`.
        func wait(until deadline: Int64) async throws {
            let caller = WaitingCaller<Void>()
            let isThere = waiting.withLock { waiting in
                if waiting.isSignalled {
                    waiting.isSignalled = false
                    return true
                }
                waiting.caller = caller
                waiting.deadline = deadline
                return false
            }
            if isThere { return }
            // One that was cancelled must not take the next signal for itself.
            defer { waiting.withLock { if $0.caller === caller { $0.caller = nil } } }
            records.withLock { $0 }?.wake(at: deadline)
            try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { caller.begin($0) }
            } onCancel: {
                caller.end(.failure(CancellationError()))
            }
        }

        /// Ends the wait of a poll that is under way.
        func interrupt() { signal() }

        private func signal() {
            let caller = waiting.withLock { waiting in
                waiting.isSignalled = waiting.caller == nil
                defer { waiting.caller = nil }
                return waiting.caller
            }
            caller?.end(.success(()))
        }

        private func deadlinePassed(_ now: Int64) {
            let caller = waiting.withLock { waiting -> WaitingCaller<Void>? in
                guard waiting.deadline <= now else { return nil }
                defer { waiting.caller = nil }
                return waiting.caller
            }
            caller?.end(.success(()))
        }

        // MARK: Commits

        /// Sends a commit and waits for its answer without holding a thread.
        func commit(_ offsets: PartitionList, timeout: Nanoseconds) async throws -> rd_kafka_resp_err_t {
            let caller = WaitingCaller<rd_kafka_resp_err_t>()
            let deadline = SocketReactor.now + timeout.rawValue
            let id = commits.withLock { commits in
                let id = commits.nextID
                commits.nextID += 1
                commits.waiting[id] = caller
                commits.deadlines.append((id, deadline))
                return id
            }
            guard let queue = commitResults.withLock({ $0 }) else { return RD_KAFKA_RESP_ERR__DESTROY }
            let error = rd_kafka_commit_queue(
                client.raw, offsets.raw, queue.queue.raw, nil, UnsafeMutableRawPointer(bitPattern: id))
            guard error == RD_KAFKA_RESP_ERR_NO_ERROR else {
                forget(id)
                return error
            }
            queue.wake(at: deadline)
            defer { forget(id) }
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { caller.begin($0) }
            } onCancel: {
                caller.end(.failure(CancellationError()))
            }
        }

        private func forget(_ id: Int) {
            commits.withLock { commits in
                commits.waiting[id] = nil
                commits.deadlines.removeAll { $0.id == id }
            }
        }

        private func takeCommitResults() { taking.withLock { _ in takeAllCommitResults() } }

        private func takeAllCommitResults() {
            guard let queue = commitResults.withLock({ $0?.queue }) else { return }
            while let event = queue.next() {
                defer { rd_kafka_event_destroy(event) }
                guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT else { continue }
                var error = rd_kafka_event_error(event)
                if error == RD_KAFKA_RESP_ERR_NO_ERROR,
                    let partitions = rd_kafka_event_topic_partition_list(event)
                {
                    error = partitions.pointee.firstError
                }
                let id = Int(bitPattern: rd_kafka_event_opaque(event))
                commits.withLock { $0.waiting[id] }?.end(.success(error))
            }
        }

        private func giveUpCommits(_ now: Int64) {
            let late = commits.withLock { commits in
                commits.deadlines.prefix { $0.deadline <= now }.compactMap { commits.waiting[$0.id] }
            }
            late.forEach { $0.end(.success(RD_KAFKA_RESP_ERR__TIMED_OUT)) }
        }

        // MARK: Closing

        /// Begins to leave the group. What has to be told of comes from the queue that is returned, until
        /// ``isLeft``. On the worker's thread.
        func beginLeaving() -> QueuePointer? {
            let queue = QueuePointer(rd_kafka_queue_new(client.raw))
            guard let error = rd_kafka_consumer_close_queue(client.raw, queue.raw) else { return queue }
            rd_kafka_error_destroy(error)
            rd_kafka_queue_destroy(queue.raw)
            return nil
        }

        /// The next thing to be told of while leaving, if there is one within a moment. On the worker's thread.
        func nextRebalance(_ queue: QueuePointer) -> RebalanceEvent? {
            guard let event = queue.next(timeoutMilliseconds: 50) else { return nil }
            if rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE { return RebalanceEvent(event, client) }
            journal.note(event)
            rd_kafka_event_destroy(event)
            return nil
        }

        func takePostponed() -> RebalanceEvent? {
            postponed.withLock { event in
                defer { event = nil }
                return event
            }
        }

        var isLeft: Bool { rd_kafka_consumer_closed(client.raw) == 1 }

        /// Ends the client. On the worker's thread.
        func destroy() {
            postponed.withLock { $0 = nil }
            end(records)
            end(commitResults)
            let isLeft = isLeft
            // Unless it has left, there is nobody who would answer.
            rd_kafka_destroy_flags(client.raw, isLeft ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
        }

        private func end(_ queue: borrowing Mutex<EventQueue?>) {
            let open = queue.withLock { queue in
                defer { queue = nil }
                return queue
            }
            guard let open else { return }
            // Others find no queue any more; what the reactor is about to take from this one, it takes first.
            taking.withLock { _ in }
            while let event = open.queue.next() { rd_kafka_event_destroy(event) }
            open.close()
        }
    }

    /// The group gives partitions to this member, or takes them. Destroyed with the last reference.
    final class RebalanceEvent: @unchecked Sendable {
        private let event: OpaquePointer
        let isAssignment: Bool
        /// They may have another owner already.
        let isLoss: Bool
        let isCooperative: Bool

        init(_ event: OpaquePointer, _ client: ClientPointer) {
            self.event = event
            isAssignment = rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
            isLoss = !isAssignment && rd_kafka_assignment_lost(client.raw) == 1
            isCooperative = rd_kafka_rebalance_protocol(client.raw).map { String(cString: $0) } == "COOPERATIVE"
        }

        deinit { rd_kafka_event_destroy(event) }

        var partitions: [TopicPartition] {
            rd_kafka_event_topic_partition_list(event)?.pointee.partitions ?? []
        }
    }
#endif
