import Ports
import SimCore
import Testbed

/// Figures of the simulated systems: what a record of Kafka and an order of the shop cost.
enum SystemBenchmarks {
    /// 64-byte records produced in batches of 100 with acks=all to a topic of replication factor 3, and consumed;
    /// nanoseconds per record, the cluster's start included.
    static func kafka(recordCount: Int) -> Benchmark {
        Benchmark(name: "kafka", operationCount: recordCount) {
            let simulation = Simulation(seed: 1)
            let cluster = SimulatedKafkaCluster(simulation)
            let batchCount = recordCount / 100
            simulation.addProcess("producer") { context in
                try await waitForTopic(cluster, context)
                let producer = try await cluster.eventLog(context).makeProducer(ProducerSettings(clientID: "producer"))
                let value = Payload.bytes([UInt8](repeating: 0, count: 64))
                for batch in 0..<batchCount {
                    let records = (0..<100).map {
                        ProducerRecord(topic: "t", key: "\(batch * 100 + $0)", value: value)
                    }
                    _ = try await producer.send(records)
                }
                await producer.close()
            }
            return simulation.run { context in
                var topic = TopicSpecification("t", partitionCount: 1, replicationFactor: 3)
                topic.minimumInSyncReplicas = 2
                let log = cluster.eventLog(context)
                try await log.administration.createTopic(topic)
                let consumer = try await log.makeConsumer(ConsumerSettings(clientID: "consumer", groupID: nil))
                try await consumer.assign([CommittedOffset(TopicPartition("t", 0), 0)])
                var count = 0
                while count < batchCount * 100 {
                    count += try await consumer.poll(maximumRecords: 1_000, timeout: .seconds(1)).count
                }
                await consumer.close()
            }
        }
    }

    private static func waitForTopic(_ cluster: SimulatedKafkaCluster, _ context: ProcessContext) async throws {
        let administration = cluster.eventLog(context).administration
        while try await administration.partitionCount(of: "t") == nil {
            try await context.sleep(for: .milliseconds(10))
        }
    }

    /// Orders through the whole shop without faults, from the purchase log; nanoseconds per order, the opening included.
    static func shop(orderCount: Int) -> Benchmark {
        Benchmark(name: "shop", operationCount: orderCount) {
            let options = ScenarioOptions(values: ["orders": "\(orderCount)"])
            let scenario = try ScenarioCatalogue.make("calm", options)
            return try scenario.run(SimulationSettings(seed: 1)).run
        }
    }
}
