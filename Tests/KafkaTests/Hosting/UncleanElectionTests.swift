import Ports
import SimCore
import Testing

/// What an unclean election loses: Kafka's documentation, 3.1 `unclean.leader.election.enable`, and 4.7.
struct UncleanElectionTests {
    private static let name = TopicPartition("t", 0)

    private static func record(_ number: Int64) -> ProducerRecord {
        ProducerRecord(topic: "t", key: "k", value: .json(.integer(number)))
    }

    /// What became of records that were acknowledged before and while a leader was alone in its ISR, which was then lost.
    private struct Outcome {
        var acknowledged: [Int64] = []
        var reportedLost: [Int64] = []
        var read: [Int64] = []
        var effectCount: Int64 = 0
    }

    private static func outcome(minimumInSyncReplicas: Int) throws -> Outcome {
        let simulation = Simulation(seed: 1)
        let cluster = SimulatedKafkaCluster(simulation)
        KafkaFaults.register(with: simulation.faults, cluster: cluster)
        let notes = Notes()
        cluster.onLostRecords = { notes.lost += $1.compactMap { $0.value?.json?.integerValue } }
        let report = simulation.run { context in
            let log = cluster.eventLog(context)
            var specification = TopicSpecification("t", partitionCount: 1, replicationFactor: 3)
            specification.minimumInSyncReplicas = minimumInSyncReplicas
            try await log.administration.createTopic(specification)
            var settings = ProducerSettings(clientID: "p")
            settings.deliveryTimeout = .seconds(31)
            let producer = try await log.makeProducer(settings)
            func send(_ numbers: ClosedRange<Int64>) async throws {
                for number in numbers {
                    do {
                        _ = try await producer.send([record(number)])
                        notes.outcome.acknowledged.append(number)
                    } catch is EventLogError {
                        // Nothing was promised.
                    }
                }
            }
            try await send(1...5)
            let leader = try #require(cluster.replicaState(of: name)?.leader)
            let fault = try simulation.faults.inject("kafka-unclean-election", targets: ["kafka-\(leader)"])
            try await context.sleep(for: .seconds(50))
            try await send(6...9)
            simulation.faults.heal(fault)
            try await context.sleep(for: .seconds(30))
            let consumer = try await log.makeConsumer(ConsumerSettings(clientID: "c", groupID: "g"))
            try await consumer.subscribe(to: ["t"], listener: RebalanceListener())
            for _ in 0..<20 {
                notes.outcome.read += try await consumer.poll(maximumRecords: 100, timeout: .seconds(1))
                    .compactMap { $0.value?.json?.integerValue }
            }
        }
        #expect(report.held, "\(report.violations)")
        notes.outcome.reportedLost = notes.lost
        notes.outcome.effectCount = Int64(report.faults.first?.effectCount ?? 0)
        return notes.outcome
    }

    private final class Notes: @unchecked Sendable {
        var outcome = Outcome()
        var lost: [Int64] = []
    }

    @Test("With one replica enough, acknowledged records that the lost leader alone had are gone, and reported")
    func acknowledgedRecordsAreLost() throws {
        let outcome = try Self.outcome(minimumInSyncReplicas: 1)
        #expect(outcome.acknowledged == Array(1...9))
        #expect(outcome.read == Array(1...5))
        #expect(outcome.reportedLost == Array(6...9))
        #expect(outcome.effectCount == 4)
    }

    @Test("With two replicas needed nothing is acknowledged that the lost leader alone has, and nothing is lost")
    func nothingIsLostWithTwo() throws {
        let outcome = try Self.outcome(minimumInSyncReplicas: 2)
        #expect(outcome.acknowledged == Array(1...5))
        #expect(outcome.read.starts(with: 1...5))
        #expect(outcome.reportedLost.isEmpty)
        #expect(outcome.effectCount == 0)
    }
}
