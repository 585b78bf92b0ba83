import Ports
import Testing

@testable import SimCore

@Suite("Log and replication")
struct ReplicationTests {
    @Test("A record is committed once every in-sync replica has it")
    func committed() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let producer = TestProducer(cluster)
        let offsets = try producer.send("a", "b", "c", to: "orders")
        #expect(offsets == [0, 1, 2])
        for node in cluster.brokerIDs { #expect(cluster.log(node, "orders") == ["a", "b", "c"]) }
        #expect(cluster.inspect(cluster.leader("orders"), "orders").highWatermark == 3)
    }

    @Test("An acks=all request waits for every in-sync replica, an acks=1 request only for the leader")
    func acknowledgements() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let leader = cluster.leader("orders")
        cluster.cut(leader, cluster.followers("orders")[0])
        let patient = TestProducer(cluster)
        let hasty = TestProducer(cluster) {
            $0.acknowledgement = .leader
            $0.isIdempotent = false
        }
        let waiting = patient.begin("all", to: "orders")
        #expect(try hasty.send("one", to: "orders").count == 1)
        cluster.run(for: .seconds(5))
        #expect(patient.result(of: waiting) == nil)
        cluster.heal()
        guard case .sent = try patient.wait(for: waiting) else { return #expect(Bool(false)) }
    }

    @Test("A fetch session that asked for a partition before its leader knew it hears of records all the same")
    func fetchBeforeLeadership() throws {
        let cluster = TestCluster()
        try cluster.createTopic("first")
        let next = PartitionID(cluster.id("first").rawValue + 1)
        let raw = RawClient(cluster)
        func request(isFull: Bool) -> KafkaRequestBody {
            let position = FetchPosition(partition: next, offset: 0, currentLeaderEpoch: -1, lastFetchedEpoch: -1)
            return .fetch(
                FetchRequest(
                    replica: .none, brokerEpoch: -1, maximumWait: .seconds(20), minimumBytes: 1,
                    partitionByteLimit: 1_048_576, isReadCommitted: false, isFull: isFull, changed: [position],
                    forgotten: []))
        }
        for node in cluster.brokerIDs {
            guard case .fetch(_, let early) = try raw.ask(request(isFull: true), of: node) else {
                return #expect(Bool(false), "a fetch is answered by a fetch")
            }
            #expect(early.map(\.error) == [.unknownTopicOrPartition])
        }
        try cluster.createTopic("second")
        #expect(cluster.id("second") == next)
        // In the same session, and before there is anything to read.
        let waiting = raw.send(request(isFull: false), to: cluster.leader("second"))
        cluster.run(for: .seconds(1))
        #expect(raw.answer(to: waiting) == nil)
        try TestProducer(cluster).send("a", to: "second")
        cluster.run(for: .seconds(1))
        guard case .fetch(.none, let results) = raw.answer(to: waiting) else {
            return #expect(Bool(false), "the record wakes the fetch: \(String(describing: raw.answer(to: waiting)))")
        }
        #expect(results.map(\.keys) == [["a"]])
    }

    @Test("With acks=0 the producer learns no offset")
    func acknowledgementNone() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let producer = TestProducer(cluster) {
            $0.acknowledgement = .none
            $0.isIdempotent = false
        }
        #expect(try producer.send("a", "b", to: "orders") == [nil, nil])
        cluster.run(for: .seconds(1))
        #expect(cluster.log(cluster.leader("orders"), "orders") == ["a", "b"])
    }

    @Test("Consumers read below the high watermark, not up to the log's end")
    func highWatermark() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let leader = cluster.leader("orders")
        for follower in cluster.followers("orders") { cluster.cut(leader, follower) }
        let producer = TestProducer(cluster) {
            $0.acknowledgement = .leader
            $0.isIdempotent = false
        }
        try producer.send("a", to: "orders")
        let consumer = TestConsumer(cluster, group: nil)
        try consumer.assign("orders")
        #expect(try consumer.poll(timeout: .seconds(3)).isEmpty)
        #expect(cluster.inspect(leader, "orders").logEndOffset == 1)
        #expect(cluster.inspect(leader, "orders").highWatermark == 0)
        cluster.heal()
        #expect(try consumer.receive(1) == ["a"])
    }

    @Test("A follower's high watermark trails the leader's by one fetch")
    func followerHighWatermark() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let producer = TestProducer(cluster)
        try producer.send("a", to: "orders")
        let leader = cluster.leader("orders")
        let follower = cluster.followers("orders")[0]
        #expect(cluster.inspect(leader, "orders").highWatermark == 1)
        #expect(cluster.inspect(follower, "orders").logEndOffset == 1)
        #expect(cluster.inspect(follower, "orders").highWatermark == 0)
        cluster.run(for: .seconds(1))
        #expect(cluster.inspect(follower, "orders").highWatermark == 1)
    }

    @Test("Nothing is synced when it is written: a crash of all machines loses what was acknowledged")
    func unflushedTail() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", minimumInSync: 2)
        let producer = TestProducer(cluster)
        try producer.send("a", to: "orders")
        cluster.flushAll()
        try producer.send("b", to: "orders")
        for node in cluster.brokerIDs { cluster.kill(node, losesUnflushed: true) }
        for node in cluster.brokerIDs { cluster.start(node) }
        cluster.run(for: .seconds(30))
        #expect(cluster.log(cluster.leader("orders"), "orders") == ["a"])
    }

    @Test("A process that is killed loses nothing: the page cache survives it")
    func killedProcess() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", minimumInSync: 2)
        try TestProducer(cluster).send("a", "b", to: "orders")
        for node in cluster.brokerIDs { cluster.kill(node) }
        for node in cluster.brokerIDs { cluster.start(node) }
        cluster.run(for: .seconds(30))
        #expect(cluster.leader("orders") != .none)
        for node in cluster.brokerIDs { #expect(cluster.log(node, "orders") == ["a", "b"]) }
    }

    @Test("A follower is dropped from the ISR after replica.lag.time.max.ms, and comes back when it has caught up")
    func inSyncReplicas() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let leader = cluster.leader("orders")
        let follower = cluster.followers("orders")[0]
        cluster.cut(leader, follower)
        let producer = TestProducer(cluster) {
            $0.acknowledgement = .leader
            $0.isIdempotent = false
        }
        try producer.send("a", to: "orders")
        cluster.run(for: .seconds(25))
        #expect(cluster.image("orders").inSyncReplicas.contains(follower))
        cluster.run(for: .seconds(25))
        #expect(!cluster.image("orders").inSyncReplicas.contains(follower))
        #expect(cluster.inspect(leader, "orders").highWatermark == 1)
        cluster.heal()
        cluster.run(for: .seconds(3))
        #expect(cluster.image("orders").inSyncReplicas.contains(follower))
    }

    @Test("A follower that is level with the leader stays in the ISR however long nothing is written")
    func idleFollower() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        try TestProducer(cluster).send("a", to: "orders")
        cluster.run(for: .minutes(10))
        let producer = TestProducer(cluster) {
            $0.acknowledgement = .leader
            $0.isIdempotent = false
        }
        try producer.send("b", to: "orders")
        cluster.run(for: .milliseconds(1))
        #expect(cluster.image("orders").inSyncReplicas.count == 3)
        cluster.run(for: .minutes(1))
        #expect(cluster.image("orders").inSyncReplicas.count == 3)
    }

    @Test("min.insync.replicas refuses acks=all with 19 before the write, and does not concern acks=1")
    func notEnoughReplicas() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", minimumInSync: 2)
        for follower in cluster.followers("orders") { cluster.kill(follower) }
        cluster.run(for: .seconds(15))
        #expect(cluster.image("orders").inSyncReplicas.count == 1)
        let raw = RawClient(cluster)
        #expect(try raw.produce(["a"], to: "orders").error == .notEnoughReplicas)
        #expect(cluster.log(cluster.leader("orders"), "orders").isEmpty)
        #expect(try raw.produce(["b"], to: "orders", acks: .leader).error == .none)
        #expect(cluster.log(cluster.leader("orders"), "orders") == ["b"])
    }

    @Test("While the ISR is below min.insync.replicas the high watermark stands still (KIP-966)")
    func strictMinimum() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", minimumInSync: 2)
        for follower in cluster.followers("orders") { cluster.kill(follower) }
        cluster.run(for: .seconds(15))
        let raw = RawClient(cluster)
        #expect(try raw.produce(["a"], to: "orders", acks: .leader).error == .none)
        #expect(cluster.inspect(cluster.leader("orders"), "orders").highWatermark == 0)
        #expect(try raw.fetch("orders", from: 0)?.keys ?? [] == [])
    }

    @Test("A request that was written while replicas became too few is not acknowledged")
    func shrunkWhileWaiting() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", minimumInSync: 2)
        let leader = cluster.leader("orders")
        for follower in cluster.followers("orders") { cluster.cut(leader, follower) }
        let raw = RawClient(cluster)
        let answer = try raw.produce(["a"], to: "orders", timeout: .seconds(60))
        #expect(answer.error == .requestTimedOut)
        #expect(cluster.log(leader, "orders") == ["a"])
    }
}
