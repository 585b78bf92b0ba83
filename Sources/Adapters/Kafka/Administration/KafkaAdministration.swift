#if Production
    import AdapterSystem
    import Crdkafka
    public import Ports
    import Synchronization

    /// Sets topics up and looks at them.
    ///
    /// Each call runs on a thread of its own: they are few, and one that waits for a broker that is down must not hold up
    /// the others.
    public struct KafkaAdministration: EventLogAdministration {
        private let connection: AdministrationConnection

        init(_ connection: AdministrationConnection) { self.connection = connection }

        public func createTopic(_ specification: TopicSpecification) async throws {
            try await connection.call { client, deadline in
                AdministrationCalls(client, deadline).createTopic(specification)
            }
        }

        public func partitionCount(of topic: String) async throws -> Int32? {
            try await connection.call { client, deadline in
                AdministrationCalls(client, deadline).metadata(of: topic).map { $0.map { Int32($0.partitions.count) } }
            }
        }

        public func logOffsets(of partition: TopicPartition) async throws -> LogOffsets {
            try await connection.call { client, deadline in
                AdministrationCalls(client, deadline).logOffsets(of: partition)
            }
        }

        public func committedOffsets(ofGroup group: String) async throws -> [CommittedOffset] {
            try await connection.call { client, deadline in
                AdministrationCalls(client, deadline).committedOffsets(ofGroup: group)
            }
        }

        /// Who leads and who replicates each partition of a topic, in order; `nil` when there is none of that name.
        package func replicas(of topic: String) async throws -> [PartitionReplicas]? {
            try await connection.call { client, deadline in
                AdministrationCalls(client, deadline).metadata(of: topic).map { $0?.partitions }
            }
        }
    }

    /// Leadership of one partition.
    package struct PartitionReplicas: Hashable, Sendable {
        /// `nil` while nobody leads it.
        package let leader: Int32?
        package let inSyncReplicas: [Int32]
    }

    /// The client that administration uses, opened with the first call.
    final class AdministrationConnection: Sendable {
        private let settings: KafkaSettings
        private let client = Mutex<ClientPointer?>(nil)

        init(_ settings: KafkaSettings) { self.settings = settings }

        deinit {
            if let client = client.withLock({ $0 }) {
                DedicatedThread.start("kafka-close") { rd_kafka_destroy(client.raw) }
            }
        }

        /// Runs a call that waits for the cluster until `callTimeout` is over.
        func call<Value: Sendable>(
            _ body: @escaping @Sendable (ClientPointer, Int64) -> Result<Value, EventLogError>
        ) async throws -> Value {
            try Task.checkCancellation()
            let client = try open()
            let deadline = SocketReactor.now + settings.callTimeout.rawValue
            let waiting = WaitingCaller<Value>()
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    waiting.begin(continuation)
                    DedicatedThread.start("kafka-admin") {
                        // Kept until the call is over: the client must not go away under it.
                        withExtendedLifetime(self) { waiting.end(body(client, deadline).mapError { $0 }) }
                    }
                }
            } onCancel: {
                waiting.end(.failure(CancellationError()))
            }
        }

        private func open() throws -> ClientPointer {
            try client.withLock { client in
                if let client { return client }
                var configuration = ClientConfiguration(settings, clientID: "administration")
                // The end of a log is its high watermark, not the last stable offset.
                configuration.set("isolation.level", "read_uncommitted")
                configuration.set("socket.timeout.ms", 30_000)
                configuration.set("statistics.interval.ms", 0)
                let opened = try configuration.open(RD_KAFKA_CONSUMER)
                client = opened
                return opened
            }
        }

        func close() async {
            let open = client.withLock { client in
                defer { client = nil }
                return client
            }
            guard let open else { return }
            await withCheckedContinuation { continuation in
                DedicatedThread.start("kafka-close") {
                    rd_kafka_destroy(open.raw)
                    continuation.resume()
                }
            }
        }
    }
#endif
