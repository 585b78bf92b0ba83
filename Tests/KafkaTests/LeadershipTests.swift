import Ports
import SimCore
import Testing

@Suite("Leadership")
struct LeadershipTests {
    @Test(
        "When a leader dies, another in-sync replica leads after the session timeout and nothing acknowledged is lost")
    func failover() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", minimumInSync: 2)
        let producer = TestProducer(cluster)
        try producer.send("a", to: "orders")
        let old = cluster.leader("orders")
        let epoch = cluster.image("orders").leaderEpoch
        cluster.kill(old)
        cluster.run(for: .seconds(5))
        #expect(cluster.leader("orders") == old)
        cluster.run(for: .seconds(6))
        #expect(cluster.leader("orders") != old)
        #expect(cluster.image("orders").leaderEpoch == epoch + 1)
        #expect(try producer.send("b", to: "orders") == [1])
        #expect(cluster.log(cluster.leader("orders"), "orders") == ["a", "b"])
    }

    @Test("Unclean election is off by default: without an in-sync replica there is no leader")
    func noUncleanElection() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let last = try leaveLastReplica(cluster)
        cluster.kill(last)
        cluster.run(for: .seconds(15))
        for node in cluster.brokerIDs where node != last { cluster.start(node) }
        cluster.run(for: .seconds(30))
        #expect(cluster.leader("orders") == .none)
        cluster.start(last)
        cluster.run(for: .seconds(30))
        #expect(cluster.leader("orders") == last)
        for node in cluster.brokerIDs { #expect(cluster.log(node, "orders") == ["a", "b"]) }
    }

    @Test("With unclean election on, a replica outside the ISR leads and acknowledged records are lost")
    func uncleanElection() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders") { $0.allowsUncleanLeaderElection = true }
        let last = try leaveLastReplica(cluster)
        cluster.kill(last)
        for node in cluster.brokerIDs where node != last { cluster.start(node) }
        cluster.run(for: .seconds(30))
        #expect(cluster.leader("orders") != .none)
        #expect(cluster.controller.uncleanElectionCount == 1)
        #expect(cluster.log(cluster.leader("orders"), "orders") == ["a"])
        let producer = TestProducer(cluster)
        try producer.send("c", to: "orders")
        cluster.start(last)
        cluster.run(for: .seconds(30))
        // The old leader gives up what the new one never had.
        for node in cluster.brokerIDs { #expect(cluster.log(node, "orders") == ["a", "c"]) }
    }

    /// Writes `a` to all replicas and `b` only to the last one that is left in the ISR.
    private func leaveLastReplica(_ cluster: TestCluster) throws -> NodeID {
        let producer = TestProducer(cluster)
        try producer.send("a", to: "orders")
        cluster.run(for: .seconds(1))
        for follower in cluster.followers("orders") { cluster.kill(follower) }
        cluster.run(for: .seconds(15))
        #expect(cluster.image("orders").inSyncReplicas.count == 1)
        try producer.send("b", to: "orders")
        return cluster.leader("orders")
    }

    @Test("Without the controller there are no elections; when it is back, there are")
    func controllerLoss() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let producer = TestProducer(cluster)
        let leader = cluster.leader("orders")
        try producer.send("a", to: "orders")
        cluster.kill(TestCluster.controllerID)
        cluster.run(for: .seconds(30))
        // Data flows on under the old leaders.
        #expect(try producer.send("b", to: "orders") == [1])
        cluster.kill(leader)
        cluster.run(for: .seconds(60))
        #expect(cluster.leader("orders") == leader)
        cluster.start(TestCluster.controllerID)
        cluster.run(for: .seconds(15))
        #expect(cluster.leader("orders") != leader)
        #expect(try producer.send("c", to: "orders") == [2])
    }

    @Test("A leader that is cut off goes on believing in itself, but gets nothing committed")
    func zombieLeader() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", minimumInSync: 2)
        let old = cluster.leader("orders")
        let raw = RawClient(cluster)
        _ = try raw.produce(["a"], to: "orders")
        for other in [TestCluster.controllerID] + cluster.brokerIDs where other != old { cluster.cut(old, other) }
        cluster.run(for: .seconds(15))
        let new = cluster.leader("orders")
        #expect(new != old)
        #expect(cluster.inspect(old, "orders").isLeader)
        #expect(try raw.produce(["zombie"], to: "orders", node: old, timeout: .seconds(5)).error == .requestTimedOut)
        #expect(try raw.produce(["b"], to: "orders", node: new).error == .none)
        cluster.heal()
        cluster.run(for: .seconds(30))
        for node in cluster.brokerIDs { #expect(cluster.log(node, "orders") == ["a", "b"]) }
    }

    @Test("Fenced and unknown leader epochs are answered with 74 and 75, a follower with 6")
    func leaderEpochErrors() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let first = cluster.leader("orders")
        cluster.kill(first)
        cluster.run(for: .seconds(15))
        let raw = RawClient(cluster)
        let epoch = cluster.image("orders").leaderEpoch
        #expect(try raw.fetch("orders", from: 0, epoch: epoch - 1)?.error == .fencedLeaderEpoch)
        #expect(try raw.fetch("orders", from: 0, epoch: epoch + 1)?.error == .unknownLeaderEpoch)
        #expect(try raw.fetch("orders", from: 0, epoch: epoch)?.keys == nil)
        let follower = cluster.followers("orders").first { $0 != first }!
        #expect(try raw.fetch("orders", from: 0, node: follower)?.error == .notLeaderOrFollower)
        #expect(try raw.produce(["a"], to: "orders", node: follower).error == .notLeaderOrFollower)
    }

    @Test("A controlled shutdown moves leadership away before the broker stops")
    func controlledShutdown() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", minimumInSync: 2)
        let producer = TestProducer(cluster)
        try producer.send("a", to: "orders")
        let old = cluster.leader("orders")
        cluster.shutDown(old)
        cluster.run(for: .seconds(5)) { !cluster.isRunning(old) }
        #expect(!cluster.isRunning(old))
        #expect(cluster.leader("orders") != old)
        #expect(cluster.leader("orders") != .none)
        #expect(try producer.send("b", to: "orders") == [1])
    }

    @Test("Leadership goes back to the preferred replica when it is in sync again")
    func preferredElection() throws {
        let cluster = TestCluster()
        let administration = try cluster.createTopic("orders")
        let preferred = cluster.leader("orders")
        cluster.restart(preferred)
        cluster.run(for: .seconds(30))
        #expect(cluster.leader("orders") != preferred)
        try administration.electLeader(.preferred, of: "orders")
        #expect(cluster.leader("orders") == preferred)
        let refusal = try error { try administration.electLeader(.preferred, of: "orders") }
        #expect(refusal.code == .electionNotNeeded)
    }

    @Test("auto.leader.rebalance.enable does so by itself")
    func automaticRebalance() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let preferred = cluster.leader("orders")
        cluster.restart(preferred)
        cluster.run(for: .seconds(30))
        #expect(cluster.leader("orders") != preferred)
        cluster.run(for: .seconds(300))
        #expect(cluster.leader("orders") == preferred)
    }

    @Test("A restarted broker registers only when the session of its predecessor has ended")
    func registration() throws {
        let cluster = TestCluster()
        let node = cluster.brokerIDs[0]
        cluster.restart(node)
        cluster.run(for: .seconds(5))
        #expect(cluster.isFenced(node))
        cluster.run(for: .seconds(10))
        #expect(!cluster.isFenced(node))
    }

    @Test("A broker whose storage fails answers 56 and ends; others lead on")
    func storageFailure() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", minimumInSync: 2)
        let leader = cluster.leader("orders")
        cluster.cut(leader, cluster.followers("orders")[0])
        let raw = RawClient(cluster)
        _ = try raw.produce(["a"], to: "orders", acks: .leader)
        cluster.after(.seconds(1)) { cluster.failStorage(of: leader) }
        #expect(try raw.produce(["b"], to: "orders").error == .storageError)
        cluster.heal()
        cluster.run(for: .seconds(15))
        #expect(!cluster.isRunning(leader))
        #expect(cluster.leader("orders") != leader)
    }

    @Test("Topics are refused with 36, 37 and 38")
    func topicErrors() throws {
        let cluster = TestCluster()
        let administration = try cluster.createTopic("orders", partitions: 6)
        #expect(try error { try cluster.createTopic("orders") }.code == .topicAlreadyExists)
        #expect(try error { try cluster.createTopic("none", partitions: 0) }.code == .invalidPartitions)
        #expect(try error { try cluster.createTopic("four", replicationFactor: 4) }.code == .invalidReplicationFactor)
        #expect(try administration.partitionCount(of: "orders") == 6)
        #expect(try administration.partitionCount(of: "nothing") == nil)
        // Leaders are spread evenly.
        let leaders = (0..<6).map { cluster.leader("orders", Int32($0)) }
        for node in cluster.brokerIDs { #expect(leaders.count { $0 == node } == 2) }
    }
}
