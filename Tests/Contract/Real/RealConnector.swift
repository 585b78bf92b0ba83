#if Production
    import AdapterKafka
    import AdapterSystem
    import Foundation
    import Ports
    import SimCore
    import Synchronization

    /// A connector of its own on the Connect worker of `CONNECT_URL`.
    ///
    /// The worker's `offset.flush.interval.ms` has to be `CONNECT_OFFSET_FLUSH_MS` (60 s by default, as Connect's own), and
    /// its offset topic to have one partition.
    final class RealConnector: ConnectorServer {
        let topicPrefix: String
        let schemaName: String
        let databaseName = "postgres"
        let slotName: String
        let offsetFlushInterval: Nanoseconds
        private let worker: ConnectWorker
        private let server: RealDatabaseServer
        private let log: KafkaEventLog
        private let stack: RealStack?
        private let configuration: [String: String]
        private let clock = SystemClock()
        private enum Life { case absent, running, stopped, crashed }
        private let life = Mutex(Life.absent)
        /// What was read of each topic, and the consumer that goes on reading.
        private let topics = Mutex<[String: Topic]>([:])

        private struct Topic {
            var consumer: any EventConsumer
            var records: [ConsumerRecord] = []
        }

        init(
            _ options: ConnectorOptions, _ server: RealDatabaseServer, worker: ConnectWorker, bootstrap: String,
            stack: RealStack?
        ) {
            let name = "contract_\(RandomIdentifiers().next().low)"
            self.server = server
            self.worker = worker
            self.stack = stack
            topicPrefix = name
            slotName = name
            schemaName = server.name
            let flush = ContractEnvironment.variable("CONNECT_OFFSET_FLUSH_MS").flatMap { Int64($0) }
            offsetFlushInterval = .milliseconds(flush ?? 60_000)
            log = KafkaEventLog(KafkaSettings(bootstrapServers: bootstrap))
            configuration = Self.configuration(options, name, server)
        }

        private static func configuration(
            _ options: ConnectorOptions, _ name: String, _ server: RealDatabaseServer
        ) -> [String: String] {
            let json = "org.apache.kafka.connect.json.JsonConverter"
            let url = URLComponents(string: server.address)
            var configuration = [
                "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "plugin.name": "pgoutput",
                "database.hostname": url?.host ?? "127.0.0.1", "database.port": "\(url?.port ?? 5432)",
                "database.user": url?.user ?? "postgres", "database.password": url?.password ?? "none",
                "database.dbname": "postgres", "topic.prefix": name, "slot.name": name, "publication.name": name,
                "publication.autocreate.mode": "filtered",
                "table.include.list": options.tables.map { "\(server.name).\($0.name)" }.joined(separator: ","),
                "snapshot.mode": options.snapshotMode.rawValue,
                "tombstones.on.delete": "\(options.emitsTombstones)",
                "provide.transaction.metadata": "\(options.providesTransactionMetadata)",
                "heartbeat.interval.ms": "\(options.heartbeatInterval.rawValue / 1_000_000)", "poll.interval.ms": "50",
                "key.converter": json, "key.converter.schemas.enable": "false", "value.converter": json,
                "value.converter.schemas.enable": "false", "topic.creation.default.partitions": "1",
                "topic.creation.default.replication.factor": "1", "retriable.restart.connector.wait.ms": "1000",
            ]
            if let action = options.heartbeatAction {
                configuration["heartbeat.action.query"] = action.sql.replacingOccurrences(
                    of: "{schema}", with: server.name)
            }
            if let router = options.router {
                configuration["key.converter"] = "org.apache.kafka.connect.storage.StringConverter"
                configuration["transforms"] = "outbox"
                let prefix = "transforms.outbox."
                configuration[prefix + "type"] = "io.debezium.transforms.outbox.EventRouter"
                configuration[prefix + "route.topic.replacement"] = "\(name).event.${routedByValue}"
                configuration[prefix + "table.expand.json.payload"] = "\(router.expandsJSON)"
                configuration[prefix + "table.op.invalid.behavior"] = router.updateBehavior.rawValue
                if !router.placements.isEmpty {
                    configuration[prefix + "table.fields.additional.placement"] =
                        router.placements.map { "\($0.column):header:\($0.header)" }.joined(separator: ",")
                }
            }
            return configuration
        }

        // MARK: Life

        func start() async throws {
            switch life.withLock({ $0 }) {
            case .absent: try await worker.send("PUT", "connectors/\(topicPrefix)/config", configuration)
            case .stopped: try await worker.send("PUT", "connectors/\(topicPrefix)/resume")
            case .crashed:
                let stack = try controlled()
                try await blocking { try stack.run("start", "connect-1") }
            case .running: return
            }
            life.withLock { $0 = .running }
            try await wait("the task runs") { [self] in
                let task = try? await worker.states(topicPrefix).task
                return task == "RUNNING" || task == "FAILED"
            }
        }

        func stop() async throws {
            try await worker.send("PUT", "connectors/\(topicPrefix)/stop")
            try await wait("the connector is stopped") { [self] in
                let states = try await worker.states(topicPrefix)
                return states.connector == "STOPPED" && states.task == nil
            }
            life.withLock { $0 = .stopped }
        }

        func crash() async throws {
            let stack = try controlled()
            try await blocking { try stack.run("signal", "connect-1", "KILL") }
            life.withLock { $0 = .crashed }
            try await wait("the worker is down") { [self] in (try? await worker.send("GET", "connectors")) == nil }
            // Its slot is free once the server has noticed.
            try await wait("the slot is free") { [self] in
                try await server.changeStreams.slot(slotName)?.isActive != true
            }
        }

        private func controlled() throws -> RealStack {
            guard let stack else { throw ContractFailure("REAL_STACK is not set: the worker cannot be killed") }
            return stack
        }

        private func wait(_ what: String, _ condition: () async throws -> Bool) async throws {
            let deadline = clock.monotonicNow + .seconds(90)
            while try await !condition() {
                guard clock.monotonicNow < deadline else { throw ContractFailure("not in 90 s: \(what)") }
                try await clock.sleep(for: .milliseconds(100))
            }
        }

        func hasFailed() async throws -> Bool { try await worker.states(topicPrefix).task == "FAILED" }

        // MARK: Offsets

        func forgetOffset() async throws { try await worker.send("DELETE", "connectors/\(topicPrefix)/offsets") }

        func storedOffset() async throws -> JSONValue? {
            let key = "[\"\(topicPrefix)\",{\"server\":\"\(topicPrefix)\"}]"
            return try await records(of: "connect-offsets").last { $0.key == key }?.value?.json
        }

        // MARK: Records

        func records(of topic: String) async throws -> [ConsumerRecord] {
            let partition = TopicPartition(topic, 0)
            guard try await log.administration.partitionCount(of: topic) != nil else { return [] }
            var state: Topic
            if let known = topics.withLock({ $0[topic] }) {
                state = known
            } else {
                let consumer = try await log.makeConsumer(ConsumerSettings(clientID: "contract", groupID: nil))
                try await consumer.assign([CommittedOffset(partition, 0)])
                state = Topic(consumer: consumer)
            }
            let end = try await log.administration.logOffsets(of: partition).latest
            let deadline = clock.monotonicNow + .seconds(20)
            while (state.records.last.map { $0.offset + 1 } ?? 0) < end, clock.monotonicNow < deadline {
                let more = try await state.consumer.poll(maximumRecords: 1_000, timeout: .milliseconds(200))
                state.records += more
                // Compaction leaves gaps, also at the end.
                if more.isEmpty, state.consumer.position(partition) ?? 0 >= end { break }
            }
            topics.withLock { $0[topic] = state }
            return state.records
        }

        func discard() async {
            if life.withLock({ $0 }) == .crashed, let stack {
                try? await blocking { try stack.run("start", "connect-1") }
            }
            if life.withLock({ $0 }) != .absent {
                _ = try? await worker.send("DELETE", "connectors/\(topicPrefix)")
                try? await wait("the slot is free") { [self] in
                    try await server.changeStreams.slot(slotName)?.isActive != true
                }
            }
            for topic in topics.withLock({ Array($0.values) }) { await topic.consumer.close() }
            await log.close()
            await server.dropReplication(slotName)
        }
    }
#endif
