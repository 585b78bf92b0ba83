import Ports
import SimCore
import Testing

/// The event log port over the simulated network: what a service sees of a simulated cluster.
struct SimulatedEventLogTests {
    private static func record(_ number: Int) -> ProducerRecord {
        ProducerRecord(topic: "t", key: "k\(number)", value: .json(.integer(Int64(number))))
    }

    private static func topic(_ cluster: SimulatedKafkaCluster, _ context: ProcessContext) async throws {
        var specification = TopicSpecification("t", partitionCount: 3, replicationFactor: 3)
        specification.minimumInSyncReplicas = 2
        try await cluster.eventLog(context).administration.createTopic(specification)
    }

    @Test("What was produced and acknowledged is consumed by a group, once each when nothing fails")
    func producedIsConsumed() {
        let simulation = Simulation(seed: 1)
        let cluster = SimulatedKafkaCluster(simulation)
        let report = simulation.run { context in
            try await Self.topic(cluster, context)
            let log = cluster.eventLog(context)
            let producer = try await log.makeProducer(ProducerSettings(clientID: "p"))
            let written = try await producer.send((0..<100).map(Self.record))
            #expect(written.count == 100 && written.allSatisfy { $0.offset != nil })
            let consumer = try await log.makeConsumer(ConsumerSettings(clientID: "c", groupID: "g"))
            try await consumer.subscribe(to: ["t"], listener: RebalanceListener())
            var seen: [Int64] = []
            while seen.count < 100 {
                let records = try await consumer.poll(maximumRecords: 500, timeout: .seconds(1))
                seen += records.compactMap { $0.value?.json?.integerValue }
            }
            #expect(seen.sorted() == Array(0..<100))
            await consumer.close()
            await producer.close()
        }
        #expect(report.held, "\(report.violations)")
    }

    @Test("An acknowledged record survives the crash of its leader")
    func acknowledgedSurvivesLeaderCrash() {
        let simulation = Simulation(seed: 2)
        let cluster = SimulatedKafkaCluster(simulation)
        let report = simulation.run { context in
            try await Self.topic(cluster, context)
            let log = cluster.eventLog(context)
            let producer = try await log.makeProducer(ProducerSettings(clientID: "p"))
            var acknowledged: [Int64] = []
            for number in 0..<60 {
                if number == 20 { try simulation.faults.inject("crash", targets: ["kafka-1"]) }
                if number == 40 { try simulation.faults.inject("host-crash", targets: ["kafka-2"]) }
                _ = try await producer.send([Self.record(number)])
                acknowledged.append(Int64(number))
            }
            let consumer = try await log.makeConsumer(ConsumerSettings(clientID: "c", groupID: "g"))
            try await consumer.subscribe(to: ["t"], listener: RebalanceListener())
            var seen: Set<Int64> = []
            for _ in 0..<60 {
                for record in try await consumer.poll(maximumRecords: 500, timeout: .seconds(1)) {
                    seen.insert(record.value!.json!.integerValue!)
                }
            }
            #expect(acknowledged.allSatisfy { seen.contains($0) }, "lost \(acknowledged.filter { !seen.contains($0) })")
        }
        #expect(report.held, "\(report.violations)")
    }

    @Test("When a member of a group dies, another takes over from the committed offsets")
    func groupTakesOver() {
        let simulation = Simulation(seed: 3)
        let cluster = SimulatedKafkaCluster(simulation)
        let seen = Counts()
        for name in ["worker-1", "worker-2"] {
            simulation.addProcess(name, startsWithRun: false) { context in
                let consumer = try await cluster.eventLog(context).makeConsumer(
                    ConsumerSettings(clientID: name, groupID: "g"))
                try await consumer.subscribe(to: ["t"], listener: RebalanceListener())
                while true {
                    let records = try await consumer.poll(maximumRecords: 10, timeout: .seconds(1))
                    for record in records { seen.counts[record.key!, default: 0] += 1 }
                    do {
                        try await consumer.commit(
                            records.map { CommittedOffset($0.topicPartition, $0.offset + 1) })
                    } catch let error as EventLogError where error.code == .rebalanceInProgress {
                        // Whoever has the partition next reads these records again.
                    }
                }
            }
        }
        let report = simulation.run { context in
            try await Self.topic(cluster, context)
            let producer = try await cluster.eventLog(context).makeProducer(ProducerSettings(clientID: "p"))
            simulation.start(simulation.process(named: "worker-1")!)
            simulation.start(simulation.process(named: "worker-2")!)
            for number in 0..<200 {
                if number == 100 { simulation.crash(simulation.process(named: "worker-1")!) }
                _ = try await producer.send([Self.record(number)])
                try await context.sleep(for: .milliseconds(100))
            }
            try await context.sleep(for: .minutes(2))
            #expect(seen.counts.count == 200, "every record was seen by somebody: \(seen.counts.count)")
        }
        #expect(report.held, "\(report.violations)")
    }

    private final class Counts: @unchecked Sendable {
        var counts: [String: Int] = [:]
    }
}
