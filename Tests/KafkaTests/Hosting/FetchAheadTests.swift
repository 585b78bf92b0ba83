import Ports
import SimCore
import Testing

@Suite("A consumer fetches ahead")
struct FetchAheadTests {
    /// How long a record takes that was written to a partition of which the consumer held one, beside an empty partition of the
    /// same leader.
    private static func delay(fetchAheadByteLimit: Int) -> (delay: Nanoseconds, seen: [Int64]) {
        let simulation = Simulation(seed: 4)
        let cluster = SimulatedKafkaCluster(simulation)
        let result = Result()
        let report = simulation.run { context in
            let log = cluster.eventLog(context)
            try await log.administration.createTopic(TopicSpecification("t", partitionCount: 6, replicationFactor: 1))
            let producer = try await log.makeProducer(ProducerSettings(clientID: "p"))
            func write(_ numbers: Range<Int64>) async throws {
                _ = try await producer.send(
                    numbers.map { ProducerRecord(topic: "t", partition: 0, key: "k", value: .json(.integer($0))) })
            }
            var settings = ConsumerSettings(clientID: "c", groupID: nil)
            settings.fetchAheadByteLimit = fetchAheadByteLimit
            let consumer = try await log.makeConsumer(settings)
            try await consumer.assign((0..<6).map { CommittedOffset(TopicPartition("t", $0), 0) })
            func next() async throws -> Int64? {
                try await consumer.poll(maximumRecords: 1, timeout: .seconds(5)).first?.value?.json?.integerValue
            }
            try await write(0..<2)
            result.seen.append(try await next() ?? -1)
            // The fetch that follows is at the broker by now, and waits there.
            try await context.clock.sleep(for: .milliseconds(50))
            try await write(2..<3)
            let written = context.clock.now
            result.seen.append(try await next() ?? -1)
            result.seen.append(try await next() ?? -1)
            result.delay = context.clock.now - written
        }
        #expect(report.held, "\(report.violations)")
        return (result.delay, result.seen)
    }

    @Test("What comes while it holds records of the partition does not wait for them to be taken")
    func fetchesBehindWhatIsHeld() {
        let (delay, seen) = Self.delay(fetchAheadByteLimit: 8_388_608)
        #expect(seen == [0, 1, 2])
        #expect(delay < .milliseconds(100))
    }

    @Test("Without room it waits until what is held is used up, and for the fetch under way: as Java's client does")
    func fetchesWhenNothingIsHeld() {
        let (delay, seen) = Self.delay(fetchAheadByteLimit: 0)
        #expect(seen == [0, 1, 2])
        #expect(delay > .milliseconds(300))
    }

    private final class Result: @unchecked Sendable {
        var delay: Nanoseconds = .zero
        var seen: [Int64] = []
    }
}
