import Ports
import Testing

@testable import SimCore

/// Published bugs of the log's replication: each is shown with its mistake switched on, and gone with it off.
@Suite("Published bugs of replication")
struct ReplicationBugTests {
    @Test("KIP-101: truncation to the high watermark loses an acknowledged record; truncation by epoch does not")
    func kip101() throws {
        #expect(try recordsAfterTwoElections(.highWatermark) == ["a"])
        #expect(try recordsAfterTwoElections(.endOffsetForEpoch) == ["a", "b"])
        #expect(try recordsAfterTwoElections(.divergingEpoch) == ["a", "b"])
    }

    /// A follower has an acknowledged record, but its high watermark does not cover it yet. It follows a new leader, and
    /// before it has fetched anything from that one it becomes leader itself.
    private func recordsAfterTwoElections(_ truncation: TruncationProtocol) throws -> [String] {
        var settings = ClusterSettings()
        settings.truncationProtocol = truncation
        let cluster = TestCluster(settings: settings)
        try cluster.createTopic("orders")
        let replicas = cluster.image("orders").replicas
        let raw = RawClient(cluster)
        _ = try raw.produce(["a"], to: "orders")
        cluster.run(for: .seconds(1))
        #expect(try raw.produce(["b"], to: "orders").error == .none)
        #expect(cluster.inspect(replicas[2], "orders").highWatermark == 1)
        cluster.kill(replicas[0])
        cluster.cut(replicas[1], replicas[2])
        cluster.run(for: .seconds(15)) { cluster.inspect(replicas[2], "orders").leaderEpoch == 1 }
        #expect(cluster.leader("orders") == replicas[1])
        cluster.run(for: .milliseconds(10))
        cluster.kill(replicas[1])
        cluster.run(for: .seconds(15))
        #expect(cluster.leader("orders") == replicas[2])
        cluster.heal()
        cluster.start(replicas[0])
        cluster.start(replicas[1])
        cluster.run(for: .seconds(30))
        for node in replicas { #expect(cluster.log(node, "orders") == cluster.log(replicas[2], "orders")) }
        return cluster.log(replicas[2], "orders")
    }

    @Test("KIP-279: after two fast failovers an answer without the epoch leaves logs that differ for ever")
    func kip279() throws {
        let (leader, follower) = try logsAfterDoubleFailover(.endOffsetForEpoch)
        #expect(leader == ["a0", "a1", "a2"])
        #expect(follower == ["a0", "b1", "a2"])
        let (repaired, same) = try logsAfterDoubleFailover(.divergingEpoch)
        #expect(repaired == ["a0", "a1", "a2"])
        #expect(same == repaired)
    }

    private func logsAfterDoubleFailover(_ truncation: TruncationProtocol) throws -> ([String], [String]) {
        var settings = ClusterSettings()
        settings.truncationProtocol = truncation
        settings.usesEligibleLeaderReplicas = false
        let cluster = TestCluster(brokers: 2, settings: settings)
        try cluster.createTopic("orders", replicationFactor: 2) { $0.allowsUncleanLeaderElection = true }
        let first = cluster.leader("orders")
        let second = cluster.followers("orders")[0]
        let raw = RawClient(cluster)
        _ = try raw.produce(["a0"], to: "orders")
        cluster.run(for: .seconds(1))
        cluster.cut(first, second)
        #expect(try raw.produce(["a1"], to: "orders", acks: .leader).error == .none)
        cluster.kill(first)
        cluster.run(for: .seconds(15))
        #expect(cluster.leader("orders") == second)
        #expect(try raw.produce(["b1"], to: "orders", acks: .leader).error == .none)
        cluster.kill(second)
        cluster.start(first)
        cluster.run(for: .seconds(30))
        #expect(cluster.leader("orders") == first)
        #expect(try raw.produce(["a2"], to: "orders", acks: .leader).error == .none)
        cluster.heal()
        cluster.start(second)
        cluster.run(for: .seconds(60))
        return (cluster.log(first, "orders"), cluster.log(second, "orders"))
    }

    @Test(
        "KIP-966: the last replica standing loses its disk's tail and leads again; eligible leader replicas prevent it")
    func kip966() throws {
        #expect(try recordsAfterLastReplica(usesEligibleLeaderReplicas: false) == ["a"])
        #expect(try recordsAfterLastReplica(usesEligibleLeaderReplicas: true) == ["a", "b"])
    }

    /// All have an acknowledged record. Two followers stop in order, then the machine of the last one fails and loses it.
    private func recordsAfterLastReplica(usesEligibleLeaderReplicas: Bool) throws -> [String] {
        var settings = ClusterSettings()
        settings.usesEligibleLeaderReplicas = usesEligibleLeaderReplicas
        let cluster = TestCluster(settings: settings)
        try cluster.createTopic("orders", minimumInSync: 2)
        let raw = RawClient(cluster)
        _ = try raw.produce(["a"], to: "orders")
        cluster.flushAll()
        #expect(try raw.produce(["b"], to: "orders").error == .none)
        cluster.run(for: .seconds(1))
        let last = cluster.leader("orders")
        let others = cluster.followers("orders")
        for other in others {
            cluster.shutDown(other)
            cluster.run(for: .seconds(5))
        }
        #expect(cluster.image("orders").inSyncReplicas == [last])
        cluster.kill(last, losesUnflushed: true)
        cluster.run(for: .seconds(15))
        cluster.start(last)
        cluster.run(for: .seconds(15))
        for other in others { cluster.start(other) }
        cluster.run(for: .seconds(30))
        return cluster.log(cluster.leader("orders"), "orders")
    }
}

/// Published bugs of clients and coordinators.
@Suite("Published bugs of clients and coordinators")
struct ClientBugTests {
    @Test("confluent-kafka-dotnet#704: an expired batch leaves a gap in the sequence, which is fatal")
    func expiredBatch() throws {
        let failure = try error { try self.sendAfterExpiry([.leavesSequenceGap]) }
        #expect(failure.code == .outOfOrderSequenceNumber)
        #expect(failure.isFatal)
        try sendAfterExpiry([])
    }

    private func sendAfterExpiry(_ defects: ProducerDefects) throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let producer = TestProducer(cluster, defects: defects)
        try producer.send("a", to: "orders")
        cluster.onRequest = { _, _, body in if case .produce = body { .drop } else { .deliver } }
        #expect(try error { try producer.send("expired", to: "orders") }.code == .messageTimedOut)
        cluster.onRequest = nil
        try producer.send("b", to: "orders")
        #expect(cluster.log(cluster.leader("orders"), "orders") == ["a", "b"])
    }

    @Test("KAFKA-12152: after a bump of the epoch, idle partitions have to begin at sequence 0 too")
    func epochBump() throws {
        #expect(try refusalsAfterBump([.keepsSequenceAfterBump]) > 0)
        #expect(try refusalsAfterBump([]) == 0)
    }

    private func refusalsAfterBump(_ defects: ProducerDefects) throws -> Int {
        let cluster = TestCluster()
        try cluster.createTopic("orders", partitions: 2)
        let producer = TestProducer(cluster, defects: defects)
        try producer.send("a", to: "orders", partition: 0)
        try producer.send("b", to: "orders", partition: 1)
        cluster.onRequest = { _, _, body in if case .produce = body { .drop } else { .deliver } }
        _ = try error { try producer.send("expired", to: "orders", partition: 0) }
        cluster.onRequest = nil
        try producer.send("c", to: "orders", partition: 0)
        #expect(producer.machine.epochBumpCount >= 1)
        try producer.send("d", to: "orders", partition: 1)
        #expect(cluster.log(cluster.leader("orders", 1), "orders", 1) == ["b", "d"])
        return producer.machine.outOfOrderCount
    }

    @Test(
        "KAFKA-17754: a commit that is late ends a later transaction, and its records are read although it is aborted")
    func lateCommit() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let producer = TestProducer(cluster) { $0.transactionalID = "shop" }
        try producer.initialize()
        try producer.beginTransaction()
        try producer.send("first", to: "orders")
        var isFirst = true
        cluster.onRequest = { _, _, body in
            guard case .endTransaction = body, isFirst else { return .deliver }
            isFirst = false
            return .delay(.seconds(40))
        }
        // The producer gives up on the answer after 30 s and asks again.
        try producer.commit()
        try producer.beginTransaction()
        try producer.send("second", to: "orders")
        let consumer = TestConsumer(cluster, group: nil)
        try consumer.assign("orders")
        #expect(try consumer.receive(1) == ["first"])
        #expect(try consumer.receive(1, limit: .seconds(30)) == ["second"])
        let failure = try error { try producer.abort() }
        #expect(failure.isFatal)
    }

    @Test("KAFKA-13636: the offsets of a group that has been idle may expire while it rebalances")
    func offsetsExpireInRebalance() throws {
        #expect(try offsetAfterRebalance(protects: false) == nil)
        #expect(try offsetAfterRebalance(protects: true) == 1)
    }

    /// Offsets committed long ago; the only member leaves, and joins again just before the check.
    private func offsetAfterRebalance(protects: Bool) throws -> Int64? {
        var settings = ClusterSettings()
        settings.protectsOffsetsWhileRebalancing = protects
        settings.offsetsRetention = .minutes(30)
        settings.groupInitialRebalanceDelay = .minutes(15)
        let cluster = TestCluster(settings: settings)
        try cluster.createTopic("orders") { $0.retention = nil }
        try TestProducer(cluster).send("a", to: "orders")
        let first = TestConsumer(cluster, group: "shop")
        try first.subscribe("orders")
        #expect(try first.receive(1, limit: .hours(1)) == ["a"])
        try first.commit("orders", 0, 1)
        // Idle for longer than the retention, but alive: nothing expires.
        for _ in 0..<50 { _ = try first.poll(timeout: .minutes(1)) }
        #expect(try first.committed("orders") == 1)
        try first.close()
        let second = TestConsumer(cluster, group: "shop")
        try second.subscribe("orders")
        for _ in 0..<15 { _ = try second.poll(timeout: .minutes(1)) }
        return try second.committed("orders")
    }

    @Test("librdkafka#2782: committing the position right after an assignment rewinds the group")
    func commitAfterAssign() throws {
        #expect(try offsetAfterReassignment([.keepsPositionAfterRevoke]) == 1)
        #expect(try offsetAfterReassignment([]) == 3)
    }

    /// A partition goes from one member to another and back; the first commits its position as soon as it has it again.
    private func offsetAfterReassignment(_ defects: ConsumerDefects) throws -> Int64? {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let producer = TestProducer(cluster)
        let partition = TopicPartition("orders", 0)
        let first = TestConsumer(cluster, group: "shop", defects: defects) {
            $0.assignmentStrategy = .range
            $0.clientID = "b"
        }
        try first.subscribe("orders")
        try producer.send("1", to: "orders")
        #expect(try first.receive(1) == ["1"])
        try first.commit("orders", 0, 1)
        let second = TestConsumer(cluster, group: "shop") {
            $0.assignmentStrategy = .range
            $0.clientID = "a"
        }
        try second.subscribe("orders")
        var polls: [CallID] = []
        for _ in 0..<40 {
            polls.append(second.beginPoll(timeout: .milliseconds(400)))
            _ = try first.poll(timeout: .milliseconds(500))
        }
        #expect(second.machine.assignment == [partition])
        try producer.send("2", "3", to: "orders")
        #expect(try second.receive(2) == ["2", "3"])
        try second.commit("orders", 0, 3)
        try second.close()
        first.onCallback = { kind, _ in
            guard case .assigned = kind, let position = first.machine.position(partition) else { return }
            _ = first.beginCommit("orders", 0, position)
        }
        #expect(try first.poll(until: { first.machine.assignment == [partition] }))
        _ = try first.poll(timeout: .seconds(2))
        return try first.committed("orders")
    }
}
