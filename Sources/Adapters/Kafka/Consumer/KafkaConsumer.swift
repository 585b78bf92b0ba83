#if Production
    import AdapterSystem
    import Crdkafka
    public import Ports
    import Synchronization

    /// A consumer on librdkafka.
    ///
    /// A poll takes records from librdkafka's queue on the caller's thread, and waits for the reactor when there are none.
    /// What has to ask a broker or librdkafka's own thread runs on a thread of the consumer's own; commits hold none.
    public final class KafkaConsumer: EventConsumer {
        let connection: ConsumerConnection
        let state = Mutex(ConsumerState())
        let gate = CallGate()
        private let settings: ConsumerSettings
        private let callTimeout: Nanoseconds
        private let registry: ClientRegistry

        init(_ settings: ConsumerSettings, cluster: KafkaSettings, registry: ClientRegistry) throws {
            let client = try Self.configuration(settings, cluster).open(RD_KAFKA_CONSUMER)
            connection = ConsumerConnection(
                client, journal: ClientJournal(clientID: settings.clientID, log: cluster.log))
            self.settings = settings
            callTimeout = cluster.callTimeout
            self.registry = registry
            registry.add(connection.journal)
        }

        deinit {
            guard !state.withLock({ $0.isClosed }) else { return }
            // As a process that died: the group learns of it when the session times out.
            registry.remove(connection.journal)
            let connection = connection
            connection.worker.add { connection.destroy() }
            connection.worker.end()
        }

        private static func configuration(
            _ settings: ConsumerSettings, _ cluster: KafkaSettings
        ) throws -> ClientConfiguration {
            let events = RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT
            var configuration = ClientConfiguration(cluster, clientID: settings.clientID, events: events)
            // librdkafka takes partitions only under a group's name; nothing is committed in this one.
            configuration.set("group.id", settings.groupID ?? "unassigned-\(settings.clientID)")
            if let instance = settings.groupInstanceID { configuration.set("group.instance.id", instance) }
            configuration.set("enable.auto.commit", false)
            configuration.set("enable.auto.offset.store", false)
            let reset =
                switch settings.offsetReset {
                case .earliest: "earliest"
                case .latest: "latest"
                case .none: "error"
                }
            configuration.set("auto.offset.reset", reset)
            configuration.set("partition.assignment.strategy", settings.assignmentStrategy.rawValue)
            configuration.set("isolation.level", settings.isReadCommitted ? "read_committed" : "read_uncommitted")
            configuration.set("session.timeout.ms", settings.sessionTimeout)
            configuration.set("heartbeat.interval.ms", settings.heartbeatInterval)
            // librdkafka takes none shorter than the session.
            configuration.set("max.poll.interval.ms", pollInterval(settings))
            configuration.set("fetch.wait.max.ms", cluster.fetchWait ?? settings.fetchMaximumWait)
            configuration.set("fetch.min.bytes", cluster.fetchMinimumByteCount)
            configuration.set("max.partition.fetch.bytes", settings.maximumPartitionFetchBytes)
            configuration.set("fetch.error.backoff.ms", 100)
            // A member that subscribed before its broker knew the topic joins at the next look; the default is 5 minutes.
            configuration.set("topic.metadata.refresh.interval.ms", 10_000)
            configuration.set("queued.max.messages.kbytes", max(1, settings.fetchAheadByteLimit / 1_024))
            configuration.set("socket.timeout.ms", max(.seconds(30), settings.fetchMaximumWait + .seconds(1)))
            return configuration
        }

        private static func pollInterval(_ settings: ConsumerSettings) -> Nanoseconds {
            max(settings.maximumPollInterval, settings.sessionTimeout)
        }
        private var pollInterval: Nanoseconds { Self.pollInterval(settings) }

        /// The latest statistics, once there are some. They come with polls.
        public var statistics: KafkaStatistics? { connection.journal.statistics }

        /// This consumer as a member of its group; `nil` without one.
        var group: ClientPointer? {
            settings.groupID == nil || state.withLock({ $0.isClosed }) ? nil : connection.client
        }

        // MARK: Subscription

        public func subscribe(to topics: [String], listener: RebalanceListener) async throws {
            guard let group = settings.groupID, !group.isEmpty else {
                throw EventLogError(.invalidGroupID, "subscribing needs a group id", outcome: .noEffect)
            }
            try state.withLock { state in
                if let refusal = state.refusal { throw refusal }
                state.topics = topics
                state.listener = listener
            }
            let list = PartitionList(topics: topics)
            try await ask("subscribing to \(topics.joined(separator: ", "))") { rd_kafka_subscribe($0, list.raw) }
        }

        public func assign(_ positions: [CommittedOffset]) async throws {
            try state.withLock { state in
                if let refusal = state.refusal { throw refusal }
                if state.isSubscribed {
                    throw KafkaErrors.refused("assign after subscribe: use a consumer of its own")
                }
                state.partitions.removeAll()
                for position in positions {
                    state.partitions[position.topicPartition] = ConsumerState.Partition(position: position.offset)
                }
            }
            let list = PartitionList(positions)
            try await ask("assigning partitions by hand") { rd_kafka_assign($0, list.raw) }
        }

        /// Makes a call that waits for librdkafka's own thread.
        private func ask(
            _ what: String, _ body: @escaping @Sendable (OpaquePointer) -> rd_kafka_resp_err_t
        ) async throws {
            try await gate.pass("consumer") {
                let client = connection.client
                let error = try await connection.worker.run { body(client.raw) }
                guard error != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
                throw client.fatalError
                    ?? EventLogError(
                        KafkaErrors.code(error), "\(what) failed: \(KafkaErrors.description(error))",
                        outcome: .noEffect)
            }
        }

        public var assignment: [TopicPartition] { state.withLock { $0.partitions.keys.sorted() } }

        public func position(_ partition: TopicPartition) -> Int64? {
            state.withLock { $0.partitions[partition]?.position }
        }

        // MARK: Polls

        public func poll(maximumRecords: Int, timeout: Nanoseconds) async throws -> [ConsumerRecord] {
            try await gate.pass("consumer") { try await pollUntilClosed(maximumRecords, timeout) }
        }

        private func pollUntilClosed(_ maximumRecords: Int, _ timeout: Nanoseconds) async throws -> [ConsumerRecord] {
            try Task.checkCancellation()
            try state.withLock { state in
                if let refusal = state.refusal { throw refusal }
                if state.membership == .none, state.isSubscribed { state.membership = .joining }
                if let last = state.lastPollAt, SocketReactor.now - last > pollInterval.rawValue {
                    state.isOverdue = true
                }
            }
            defer { state.withLock { $0.lastPollAt = SocketReactor.now } }
            try await applyPauses()
            let deadline = SocketReactor.now + timeout.rawValue
            while true {
                // Another task may close the consumer meanwhile, and waits for this.
                if state.withLock({ $0.isClosed }) { return [] }
                if let failure = state.withLock({ $0.positionFailure }) { throw failure }
                switch connection.look(limit: max(1, maximumRecords)) {
                case .records(let records, let positions):
                    state.withLock { $0.advance(to: positions) }
                    return records
                case .rebalance(let event):
                    await rebalance(event)
                    try await applyPauses()
                case .failed(let error, let partition):
                    note(error, partition)
                    throw error
                case .nothing:
                    let now = SocketReactor.now
                    guard now < deadline else { return [] }
                    // A look now and then shows librdkafka that the application is still there (max.poll.interval.ms).
                    let sign = now + pollInterval.rawValue / 2
                    try await connection.wait(until: min(deadline, sign))
                }
            }
        }

        private func note(_ error: EventLogError, _ partition: TopicPartition?) {
            state.withLock { state in
                if error.isFatal { state.fatalError = error }
                if let partition { state.partitions[partition]?.failure = error }
            }
        }

        public func pause(_ partitions: [TopicPartition]) throws { try setPaused(partitions, true) }
        public func resume(_ partitions: [TopicPartition]) throws { try setPaused(partitions, false) }

        /// Only the next poll can show a difference, so that is when librdkafka is told.
        private func setPaused(_ partitions: [TopicPartition], _ isPaused: Bool) throws {
            try state.withLock { state in
                for partition in partitions {
                    guard state.partitions[partition] != nil else { throw Self.notAssigned(partition) }
                    state.pauseChanges[partition] = isPaused
                }
            }
        }

        private func applyPauses() async throws {
            let (paused, resumed) = state.withLock { $0.pauseChanges.isEmpty ? ([], []) : $0.takePauseChanges() }
            guard !paused.isEmpty || !resumed.isEmpty else { return }
            let client = connection.client
            let (pausedList, resumedList) = (PartitionList(paused), PartitionList(resumed))
            await connection.worker.runToTheEnd {
                if !paused.isEmpty { rd_kafka_pause_partitions(client.raw, pausedList.raw) }
                if !resumed.isEmpty { rd_kafka_resume_partitions(client.raw, resumedList.raw) }
            }
        }

        static func notAssigned(_ partition: TopicPartition) -> EventLogError {
            KafkaErrors.refused("\(partition) is not assigned to this consumer")
        }

        // MARK: Offsets

        public func commit(_ offsets: [CommittedOffset]) async throws {
            guard settings.groupID != nil else {
                throw EventLogError(.invalidGroupID, "committing needs a group id", outcome: .noEffect)
            }
            try await gate.pass("consumer", whileClosing: true) {
                if let refusal = commitRefusal() { throw refusal }
                guard !offsets.isEmpty else { return }
                // A closing must not wait for long: without a commit the records come again.
                let timeout = state.withLock { $0.isClosed } ? min(callTimeout, Self.closingTime) : callTimeout
                let error = try await connection.commit(PartitionList(offsets), timeout: timeout)
                guard error != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
                let fatal = connection.client.fatalError
                if let fatal { note(fatal, nil) }
                throw Self.commitFailure(fatal?.code ?? KafkaErrors.code(error), isFatal: fatal != nil)
            }
        }

        /// A member that knows that it is not part of a generation does not ask: the coordinator might take the offsets
        /// as those of a consumer outside any group.
        private func commitRefusal() -> EventLogError? {
            let (fatal, isSubscribed, membership) = state.withLock { ($0.fatalError, $0.isSubscribed, $0.membership) }
            if let fatal { return fatal }
            guard isSubscribed else { return nil }
            if membership == .none || rd_kafka_assignment_lost(connection.client.raw) == 1 {
                return Self.commitFailure(.unknownMemberID, isFatal: false)
            }
            return membership == .joining ? Self.commitFailure(.rebalanceInProgress, isFatal: false) : nil
        }

        private static func commitFailure(_ code: KafkaErrorCode, isFatal: Bool) -> EventLogError {
            let reason =
                switch code {
                case .rebalanceInProgress: "the group is rebalancing; poll, then commit what is still owned"
                case .fencedInstanceID: "another consumer uses this group.instance.id"
                case .requestTimedOutLocally: "the group's coordinator did not answer in time"
                case .unknownMemberID, .illegalGeneration:
                    "this member is not part of the group's generation; its partitions may have another owner"
                default: "the coordinator answered with error \(code)"
                }
            return EventLogError(
                code, "the commit was refused: \(reason)",
                outcome: code == .requestTimedOutLocally ? .unknown : .noEffect, isFatal: isFatal)
        }

        public func committed(_ partitions: [TopicPartition]) async throws -> [CommittedOffset] {
            guard settings.groupID != nil else {
                throw EventLogError(.invalidGroupID, "committed offsets need a group id", outcome: .noEffect)
            }
            if let refusal = state.withLock({ $0.refusal }) { throw refusal }
            let list = PartitionList(partitions)
            let timeout = callTimeout.timeoutMilliseconds
            try await ask("asking for committed offsets") { client in
                let error = rd_kafka_committed(client, list.raw, timeout)
                return error == RD_KAFKA_RESP_ERR_NO_ERROR ? list.firstError : error
            }
            return list.offsets
        }

        // MARK: Closing

        public func close() async {
            guard gate.beginClosing() else { return }
            state.withLock { $0.isClosed = true }
            // In a task of its own: who closes is often cancelled, and what is committed now still counts.
            await Task { await end() }.value
        }

        private func end() async {
            connection.interrupt()
            await gate.waitUntilEmpty()
            registry.remove(connection.journal)
            let connection = connection
            if let queue = await connection.worker.runToTheEnd({ connection.beginLeaving() }) {
                await leave(queue)
                await connection.worker.runToTheEnd { rd_kafka_queue_destroy(queue.raw) }
            }
            gate.close()
            await gate.waitUntilEmpty()
            await connection.worker.runToTheEnd { connection.destroy() }
            connection.worker.end()
        }

        /// How long a commit in a callback of the closing may take.
        private static let closingTime = Nanoseconds.seconds(5)

        /// Gives partitions back and leaves the group. Begins nothing new after ten seconds: then the session's timeout does it.
        private func leave(_ queue: QueuePointer) async {
            let connection = connection
            let deadline = SocketReactor.now + Nanoseconds.seconds(10).rawValue
            if let event = connection.takePostponed() { await rebalance(event) }
            while !connection.isLeft, SocketReactor.now < deadline {
                let event = await connection.worker.runToTheEnd { connection.nextRebalance(queue) }
                if let event { await rebalance(event) }
            }
        }
    }
#endif
