#if Production
    import Crdkafka
    public import Ports
    import Synchronization

    /// A producer on librdkafka.
    ///
    /// A call's records are queued without a thread hop and acknowledged together: one wake-up of the reactor serves every
    /// record of the batches that a broker acknowledged. Calls about transactions wait on a thread of the producer's own.
    public final class KafkaProducer: EventProducer {
        private struct State {
            var isClosed = false
            /// Why the open transaction can only be aborted.
            var abortableError: EventLogError?
            var isInTransaction = false
        }

        private let connection: ProducerConnection
        private let settings: ProducerSettings
        private let callTimeout: Nanoseconds
        private let registry: ClientRegistry
        private let state = Mutex(State())
        private let gate = CallGate()

        init(_ settings: ProducerSettings, cluster: KafkaSettings, registry: ClientRegistry) throws {
            let client = try Self.configuration(settings, cluster).open(RD_KAFKA_PRODUCER)
            let journal = ClientJournal(clientID: settings.clientID, log: cluster.log)
            connection = ProducerConnection(client, journal: journal, isTransactional: settings.transactionalID != nil)
            self.settings = settings
            callTimeout = cluster.callTimeout
            self.registry = registry
            registry.add(journal)
        }

        deinit {
            guard !state.withLock({ $0.isClosed }) else { return }
            registry.remove(connection.journal)
            let connection = connection
            connection.worker.add {
                connection.settle(within: .zero)
                connection.destroy()
            }
            connection.worker.end()
        }

        private static func configuration(
            _ settings: ProducerSettings, _ cluster: KafkaSettings
        ) throws -> ClientConfiguration {
            let isIdempotent = settings.isIdempotent || settings.transactionalID != nil
            guard !isIdempotent || settings.acknowledgement == .all else {
                throw KafkaErrors.refused(
                    "idempotence needs acks=all; set acknowledgement to .all or isIdempotent to false")
            }
            var configuration = ClientConfiguration(cluster, clientID: settings.clientID, events: RD_KAFKA_EVENT_DR)
            // As Java clients, so that a key has one partition whoever writes it.
            configuration.set("partitioner", "murmur2_random")
            configuration.set("acks", settings.acknowledgement.rawValue)
            configuration.set("enable.idempotence", isIdempotent)
            configuration.set("linger.ms", settings.linger)
            configuration.set("batch.size", settings.batchByteLimit)
            configuration.set("max.in.flight.requests.per.connection", settings.maximumInFlightRequests)
            configuration.set("request.timeout.ms", settings.requestTimeout)
            configuration.set("retry.backoff.ms", settings.retryBackoff)
            var deliveryTimeout = settings.deliveryTimeout
            // The answer to a request is waited for as long as Java clients do.
            var socketTimeout = settings.requestTimeout
            if let id = settings.transactionalID {
                configuration.set("transactional.id", id)
                configuration.set("transaction.timeout.ms", settings.transactionTimeout)
                // librdkafka wants both within the transaction's time.
                deliveryTimeout = min(deliveryTimeout, settings.transactionTimeout)
                socketTimeout = min(socketTimeout, settings.transactionTimeout)
            }
            configuration.set("socket.timeout.ms", socketTimeout)
            // As Java's max.request.size and max.block.ms.
            configuration.set("message.max.bytes", 1_048_576)
            configuration.set("topic.metadata.propagation.max.ms", cluster.callTimeout)
            configuration.set("delivery.timeout.ms", deliveryTimeout)
            return configuration
        }

        /// The latest statistics, once there are some.
        public var statistics: KafkaStatistics? { connection.journal.statistics }

        // MARK: Records

        public func send(_ records: [ProducerRecord]) async throws -> [RecordMetadata] {
            if let refusal = state.withLock({ refusal($0) }) { throw refusal }
            guard !records.isEmpty else { return [] }
            do {
                let placements = try await gate.pass("producer") { try await connection.send(records) }
                return Self.metadata(placements, records)
            } catch let error as EventLogError where error.requiresAbort {
                state.withLock { note(error, &$0) }
                throw error
            }
        }

        /// What forbids to send now, if anything does.
        private func refusal(_ state: borrowing State) -> EventLogError? {
            if state.isClosed { return KafkaErrors.refused("this producer is closed; open another") }
            guard settings.transactionalID != nil else { return nil }
            if let error = state.abortableError { return error }
            return state.isInTransaction
                ? nil
                : KafkaErrors.refused(
                    "a transactional producer sends only in a transaction; call beginTransaction first")
        }

        private static func metadata(
            _ placements: [DeliveryState.Placement], _ records: [ProducerRecord]
        ) -> [RecordMetadata] {
            var last: TopicPartition?
            return placements.indices.map { index in
                let placement = placements[index]
                if last?.partition != placement.partition || last?.topic != records[index].topic {
                    last = TopicPartition(records[index].topic, placement.partition)
                }
                return RecordMetadata(
                    last ?? TopicPartition(records[index].topic, placement.partition),
                    offset: placement.offset >= 0 ? placement.offset : nil)
            }
        }

        // MARK: Transactions

        /// Gets the producer's identity, fencing an older one of the same transactional id.
        func initialize() async throws {
            try await call("initialising transactional id \(settings.transactionalID ?? "?")") {
                rd_kafka_init_transactions($0, $1)
            }
        }

        public func beginTransaction() async throws {
            try requireTransactional("beginTransaction")
            guard !state.withLock({ $0.isInTransaction }) else {
                throw KafkaErrors.refused("beginTransaction while a transaction is open; commit or abort it first")
            }
            try await call("beginning a transaction") { client, _ in rd_kafka_begin_transaction(client) }
            state.withLock { $0.isInTransaction = true }
        }

        public func sendOffsets(_ offsets: [CommittedOffset], of consumer: any EventConsumer) async throws {
            try requireTransactional("sendOffsets")
            guard let consumer = consumer as? KafkaConsumer, let member = consumer.group else {
                throw EventLogError(.invalidRequest, "the consumer is not a member of a group", outcome: .noEffect)
            }
            try requireOpenTransaction("sendOffsets")
            guard !offsets.isEmpty else { return }
            let list = PartitionList(offsets)
            // On the consumer's own thread, which is also what ends it.
            let found = try await consumer.gate.pass("consumer") {
                try await consumer.connection.worker.run { GroupMetadata(of: member) }
            }
            guard let group = found else { throw KafkaErrors.refused("the consumer was closed") }
            try await call("adding offsets to the transaction") { client, timeout in
                rd_kafka_send_offsets_to_transaction(client, list.raw, group.raw, timeout)
            }
        }

        public func commitTransaction() async throws {
            try requireTransactional("commitTransaction")
            try requireOpenTransaction("commitTransaction")
            try await call("committing the transaction") { rd_kafka_commit_transaction($0, $1) }
            state.withLock { $0.isInTransaction = false }
        }

        public func abortTransaction() async throws {
            try requireTransactional("abortTransaction")
            guard state.withLock({ $0.isInTransaction }) else {
                throw KafkaErrors.refused("abortTransaction without a transaction")
            }
            try await call("aborting the transaction") { rd_kafka_abort_transaction($0, $1) }
            state.withLock { state in
                state.isInTransaction = false
                state.abortableError = nil
            }
        }

        private func requireTransactional(_ what: String) throws {
            guard settings.transactionalID != nil else {
                throw KafkaErrors.refused("\(what) needs a transactional id")
            }
            guard !state.withLock({ $0.isClosed }) else {
                throw KafkaErrors.refused("this producer is closed; open another")
            }
            if let fatal = connection.client.fatalError { throw fatal }
        }

        private func requireOpenTransaction(_ what: String) throws {
            let (isOpen, error) = state.withLock { ($0.isInTransaction, $0.abortableError) }
            if let error { throw error }
            guard isOpen else {
                throw KafkaErrors.refused("\(what) without a transaction; call beginTransaction first")
            }
        }

        /// Makes a call that waits for the cluster.
        private func call(
            _ what: String, _ body: @escaping @Sendable (OpaquePointer, Int32) -> OpaquePointer?
        ) async throws {
            let client = connection.client
            let timeout = callTimeout.timeoutMilliseconds
            let failure = try await gate.pass("producer") {
                try await connection.worker.run {
                    KafkaErrors.transaction(body(client.raw, timeout), what, of: client)
                }
            }
            guard let failure else { return }
            state.withLock { note(failure, &$0) }
            throw failure
        }

        /// Remembers a failure that leaves nothing but to abort.
        private func note(_ error: EventLogError, _ state: inout State) {
            guard error.requiresAbort, !error.isFatal, state.isInTransaction, state.abortableError == nil else {
                return
            }
            state.abortableError = EventLogError(
                error.code, "the transaction has to be aborted: \(error.message)", outcome: .noEffect,
                requiresAbort: true)
        }

        // MARK: Closing

        public func close() async {
            guard gate.beginClosing() else { return }
            state.withLock { $0.isClosed = true }
            registry.remove(connection.journal)
            let connection = connection
            let timeout = settings.deliveryTimeout
            await connection.worker.runToTheEnd { connection.settle(within: timeout) }
            // Calls that had records to queue yet.
            await gate.waitUntilEmpty()
            gate.close()
            await connection.worker.runToTheEnd { connection.destroy() }
            connection.worker.end()
        }
    }
#endif
