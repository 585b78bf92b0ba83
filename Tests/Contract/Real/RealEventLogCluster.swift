#if Production
    import AdapterKafka
    import AdapterSystem
    import Ports
    import Synchronization

    /// The real cluster that `KAFKA_BOOTSTRAP` names, shared by all cases, which use names of their own.
    final class RealEventLogCluster: EventLogCluster {
        /// Brokers that a case killed or stopped and perhaps left so.
        private static let disturbed = Mutex<Set<Int>>([])

        private let log: KafkaEventLog
        private let stack: RealStack?
        let brokers: [Int]

        var eventLog: any EventLog { log }

        init(bootstrap: String, stack: RealStack?) {
            var settings = KafkaSettings(bootstrapServers: bootstrap)
            settings.callTimeout = .seconds(20)
            log = KafkaEventLog(settings)
            self.stack = stack
            brokers = Array(1...max(1, bootstrap.split(separator: ",").count))
        }

        func uniqueName(_ kind: String) -> String { "\(kind)-\(RandomIdentifiers().next().low)" }

        func replicas(of partition: TopicPartition) async throws -> ReplicaState {
            guard let found = try await administration.replicas(of: partition.topic),
                found.indices.contains(Int(partition.partition))
            else { throw ContractFailure("there is no partition \(partition)") }
            let state = found[Int(partition.partition)]
            return ReplicaState(leader: state.leader.map { Int($0) }, inSync: state.inSyncReplicas.map { Int($0) })
        }

        private var administration: KafkaAdministration {
            guard let administration = log.administration as? KafkaAdministration else {
                preconditionFailure("the real event log has another administration")
            }
            return administration
        }

        /// Waits until every broker is up and Kafka's own topics are in sync, whatever the case before did.
        func settle() async throws {
            let disturbed = Self.disturbed.withLock { brokers in
                defer { brokers = [] }
                return brokers.sorted()
            }
            for broker in disturbed {
                try? await signal(broker, "CONT")
                try await start(broker)
            }
            let clock = SystemClock()
            let deadline = clock.monotonicNow + .seconds(60)
            for topic in ["__consumer_offsets", "__transaction_state"] {
                while let partitions = try await administration.replicas(of: topic),
                    partitions.contains(where: { $0.leader == nil || $0.inSyncReplicas.count < min(3, brokers.count) })
                {
                    guard clock.monotonicNow < deadline else {
                        throw ContractFailure("\(topic) is not in sync: \(partitions)")
                    }
                    try await clock.sleep(for: .milliseconds(200))
                }
            }
        }

        func crash(_ broker: Int) async throws {
            Self.disturbed.withLock { _ = $0.insert(broker) }
            try await signal(broker, "KILL")
        }

        func pause(_ broker: Int) async throws {
            Self.disturbed.withLock { _ = $0.insert(broker) }
            try await signal(broker, "STOP")
        }

        func resume(_ broker: Int) async throws { try await signal(broker, "CONT") }

        func start(_ broker: Int) async throws {
            let stack = try controlled()
            try await blocking { try stack.run("start", "broker-\(broker)") }
        }

        private func signal(_ broker: Int, _ signal: String) async throws {
            let stack = try controlled()
            try await blocking { try stack.run("signal", "broker-\(broker)", signal) }
        }

        private func controlled() throws -> RealStack {
            guard let stack else { throw ContractFailure("REAL_STACK is not set: no broker can be killed") }
            return stack
        }

        func close() async { await log.close() }
    }
#endif
