import Ports
import SimCore
import Testing

/// What a cluster's replication can take (KIP-966).
struct ToleranceTests {
    @Test("A cluster tolerates the unclean stop of a broker until too few trusted replicas are left")
    func toleratesUntilTheLastTrustedReplica() {
        let simulation = Simulation(seed: 1)
        let cluster = SimulatedKafkaCluster(simulation)
        let first = simulation.process(named: "kafka-1")!
        let second = simulation.process(named: "kafka-2")!
        let third = simulation.process(named: "kafka-3")!
        let report = simulation.run { context in
            var topic = TopicSpecification("t", partitionCount: 3, replicationFactor: 3)
            topic.minimumInSyncReplicas = 2
            try await cluster.eventLog(context).administration.createTopic(topic)
            try await context.sleep(for: .seconds(1))
            #expect([first, second, third].allSatisfy { cluster.toleratesUncleanStop(of: $0) })
            simulation.crash(first)
            #expect(!cluster.toleratesUncleanStop(of: second), "the controller does not know yet that kafka-1 is dead")
            try await context.sleep(for: .seconds(15))
            #expect(cluster.toleratesUncleanStop(of: second), "kafka-1 has been fenced, and kafka-3 holds everything")
            simulation.crash(second)
            #expect(!cluster.toleratesUncleanStop(of: third), "the last replica that holds everything")
            // Back, but not trusted before the controller has taken it in and it has caught up.
            simulation.start(first)
            simulation.start(second)
            #expect(!cluster.toleratesUncleanStop(of: third))
            try await context.sleep(for: .seconds(60))
            #expect(cluster.toleratesUncleanStop(of: third), "all are in sync again")
            try simulation.faults.inject("partition", targets: ["kafka-1", "kafka-2"])
            try await context.sleep(for: .seconds(6))
            #expect(!cluster.toleratesUncleanStop(of: third), "the others may be dropped from the ISR soon")
            simulation.faults.healAll()
            try await context.sleep(for: .seconds(60))
            simulation.crash(simulation.process(named: "kafka-controller")!)
            #expect(!cluster.toleratesUncleanStop(of: third), "nobody can tell whom the controller will trust")
            #expect(cluster.toleratesUncleanStop(of: simulation.process(named: "driver")!))
        }
        #expect(report.held, "\(report.violations)")
    }
}
