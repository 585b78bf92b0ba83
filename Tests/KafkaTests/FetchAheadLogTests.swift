import Ports
import Testing

@testable import SimCore

@Suite("What a consumer fetches ahead, by the log")
struct FetchAheadLogTests {
    private func makeCluster(partitions: Int32 = 1, isUnclean: Bool = false) throws -> TestCluster {
        let cluster = TestCluster()
        try cluster.createTopic("orders", partitions: partitions) { $0.allowsUncleanLeaderElection = isUnclean }
        return cluster
    }

    /// How many fetches a client sends within a while.
    private func fetchCount(of client: TestClient, _ cluster: TestCluster, within span: Nanoseconds) -> Int {
        var count = 0
        cluster.onRequest = { from, _, body in
            if from == client.node, case .fetch = body { count += 1 }
            return .deliver
        }
        cluster.run(for: span)
        cluster.onRequest = nil
        return count
    }

    @Test("An aborted transaction that reaches from one answer into the next is filtered from both")
    func abortedAcrossAnswers() throws {
        let cluster = try makeCluster()
        let transactional = TestProducer(cluster) { $0.transactionalID = "shop" }
        try transactional.initialize()
        let plain = TestProducer(cluster)
        try transactional.beginTransaction()
        try transactional.send("aborted 1", to: "orders")
        try plain.send("a", to: "orders")
        try transactional.send("aborted 2", to: "orders")
        try plain.send("b", to: "orders")
        try transactional.abort()
        try plain.send("c", to: "orders")
        // One batch an answer.
        let consumer = TestConsumer(cluster, group: nil) { $0.maximumPartitionFetchBytes = 1 }
        try consumer.assign("orders")
        cluster.run(for: .seconds(2))
        var values: [String] = []
        while values.count < 3 {
            values += try consumer.poll(limit: 1).map { $0.key ?? "" }
        }
        #expect(values == ["a", "b", "c"])
    }

    @Test("A marker of a later leader is not taken for a truncation")
    func markerOfLaterLeader() throws {
        let cluster = try makeCluster()
        let producer = TestProducer(cluster) { $0.transactionalID = "shop" }
        try producer.initialize()
        try producer.beginTransaction()
        try producer.send("a", to: "orders")
        let leader = cluster.leader("orders")
        cluster.kill(leader)
        #expect(cluster.run(for: .minutes(1), until: { ![leader, .none].contains(cluster.leader("orders")) }))
        try producer.commit()
        // It asks again only when it has passed the marker.
        let consumer = TestConsumer(cluster, group: nil) { $0.fetchAheadByteLimit = 0 }
        try consumer.assign("orders")
        #expect(try consumer.receive(1) == ["a"])
        _ = try consumer.poll(timeout: .seconds(1))
        #expect(consumer.machine.position(TopicPartition("orders", 0)) == 2)
        let poll = consumer.beginPoll(timeout: .seconds(20))
        // Each waits half a second at the broker.
        #expect(fetchCount(of: consumer, cluster, within: .seconds(5)) < 20)
        _ = try consumer.wait(for: poll)
    }

    @Test("At the limit nothing more is fetched, of no partition, until what is held was taken")
    func limit() throws {
        let cluster = try makeCluster(partitions: 2)
        let producer = TestProducer(cluster)
        let consumer = TestConsumer(cluster, group: nil) { $0.fetchAheadByteLimit = 1 }
        cluster.call(consumer.node) { effects in
            let both = (0..<2).map { CommittedOffset(TopicPartition("orders", $0), 0) }
            #expect(consumer.machine.assign(both, now: cluster.now, effects: &effects) == nil)
        }
        try producer.send("a", to: "orders")
        cluster.run(for: .seconds(2))
        try producer.send("b", to: "orders", partition: 1)
        #expect(fetchCount(of: consumer, cluster, within: .seconds(3)) == 0)
        #expect(try consumer.receive(2) == ["a", "b"])
        #expect(fetchCount(of: consumer, cluster, within: .seconds(3)) > 0)
    }

    @Test("What is held of a log that was truncated is not handed out, and what comes before it is not passed over")
    func truncatedUnderneath() throws {
        let cluster = try makeCluster(isUnclean: true)
        let producer = TestProducer(cluster) {
            $0.acknowledgement = .leader
            $0.isIdempotent = false
        }
        for key in ["a", "b"] { try producer.send(key, to: "orders") }
        cluster.run(for: .seconds(1))
        let consumer = TestConsumer(cluster, group: nil)
        try consumer.assign("orders")
        let leader = cluster.leader("orders")
        for follower in cluster.followers("orders") { cluster.kill(follower) }
        #expect(cluster.run(for: .minutes(1), until: { cluster.image("orders").inSyncReplicas == [leader] }))
        try producer.send("c", to: "orders")
        #expect(try consumer.poll(limit: 1).map(\.key) == ["a"])
        cluster.run(for: .seconds(1))
        cluster.kill(leader)
        for follower in cluster.brokerIDs where follower != leader { cluster.start(follower) }
        #expect(cluster.run(for: .minutes(1), until: { ![leader, .none].contains(cluster.leader("orders")) }))
        try producer.send("d", to: "orders")
        cluster.run(for: .seconds(5))
        #expect(try consumer.receive(2) == ["b", "d"])
    }
}
