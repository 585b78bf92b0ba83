import Ports
import Testing

@testable import SimCore

@Suite("Producers")
struct ProducerTests {
    // MARK: Idempotence at the broker

    @Test("The same batch again is answered with its first offset: the last five are remembered")
    func duplicates() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let raw = RawClient(cluster)
        let producer = try raw.initProducerID()
        for number: Int32 in 0..<6 {
            #expect(try raw.produce(["r\(number)"], to: "orders", producer: producer, sequence: number).error == .none)
        }
        let again = try raw.produce(["r1"], to: "orders", producer: producer, sequence: 1)
        #expect(again.error == .none)
        #expect(again.baseOffset == 1)
        // The first of six is forgotten: it looks like a step back.
        #expect(
            try raw.produce(["r0"], to: "orders", producer: producer, sequence: 0).error == .outOfOrderSequenceNumber)
        #expect(cluster.log(cluster.leader("orders"), "orders").count == 6)
    }

    @Test("A gap in the sequence is refused with 45, and so is a new epoch that does not begin at 0")
    func sequenceGaps() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let raw = RawClient(cluster)
        var producer = try raw.initProducerID()
        #expect(try raw.produce(["a"], to: "orders", producer: producer, sequence: 0).error == .none)
        #expect(
            try raw.produce(["c"], to: "orders", producer: producer, sequence: 2).error == .outOfOrderSequenceNumber)
        producer.epoch += 1
        #expect(
            try raw.produce(["b"], to: "orders", producer: producer, sequence: 1).error == .outOfOrderSequenceNumber)
        #expect(try raw.produce(["b"], to: "orders", producer: producer, sequence: 0).error == .none)
    }

    @Test("A lower epoch is refused with 47")
    func lowerEpoch() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let raw = RawClient(cluster)
        let old = try raw.initProducerID()
        let new = ProducerIdentity(id: old.id, epoch: old.epoch + 1)
        #expect(try raw.produce(["a"], to: "orders", producer: new, sequence: 0).error == .none)
        #expect(try raw.produce(["b"], to: "orders", producer: old, sequence: 0).error == .invalidProducerEpoch)
    }

    @Test("After Int32.max the sequence goes on with 0")
    func sequenceWraps() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let raw = RawClient(cluster)
        let producer = try raw.initProducerID()
        // A producer that nobody remembers may begin anywhere.
        #expect(try raw.produce(["a", "b"], to: "orders", producer: producer, sequence: .max - 1).error == .none)
        #expect(try raw.produce(["c"], to: "orders", producer: producer, sequence: 0).error == .none)
        #expect(SequenceNumber.adding(3, to: .max - 1) == 1)
    }

    @Test("Producer ids expire after 24 h, and with them what they have sent")
    func producerIDsExpire() throws {
        var settings = ClusterSettings()
        #expect(settings.producerIDExpiration == .hours(24))
        settings.producerIDExpiration = .minutes(30)
        let cluster = TestCluster(settings: settings)
        try cluster.createTopic("orders") { $0.retention = nil }
        let raw = RawClient(cluster)
        let producer = try raw.initProducerID()
        #expect(try raw.produce(["a"], to: "orders", producer: producer, sequence: 0).error == .none)
        cluster.run(for: .minutes(25))
        #expect(try raw.produce(["a"], to: "orders", producer: producer, sequence: 0).baseOffset == 0)
        cluster.run(for: .minutes(20))
        #expect(cluster.inspect(cluster.leader("orders"), "orders").producerCount == 0)
        // The retry is taken for something new.
        #expect(try raw.produce(["a"], to: "orders", producer: producer, sequence: 0).baseOffset == 1)
    }

    @Test("A new leader knows the producers from its own log")
    func producersAfterFailover() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", minimumInSync: 2)
        let raw = RawClient(cluster)
        let producer = try raw.initProducerID()
        #expect(try raw.produce(["a"], to: "orders", producer: producer, sequence: 0).baseOffset == 0)
        cluster.kill(cluster.leader("orders"))
        cluster.run(for: .seconds(15))
        #expect(try raw.produce(["a"], to: "orders", producer: producer, sequence: 0).baseOffset == 0)
        #expect(
            try raw.produce(["c"], to: "orders", producer: producer, sequence: 2).error == .outOfOrderSequenceNumber)
    }

    // MARK: Retries

    @Test("An answer that is lost makes the producer send again; with idempotence the record is there once")
    func lostAnswerIdempotent() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        #expect(try logAfterLostAnswer(cluster, isIdempotent: true) == ["first", "a"])
    }

    @Test("Without idempotence a retry duplicates")
    func lostAnswerPlain() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        #expect(try logAfterLostAnswer(cluster, isIdempotent: false) == ["first", "a", "a"])
    }

    private func logAfterLostAnswer(_ cluster: TestCluster, isIdempotent: Bool) throws -> [String] {
        let producer = TestProducer(cluster) { $0.isIdempotent = isIdempotent }
        try producer.send("first", to: "orders")
        loseNextProduceAnswer(cluster)
        #expect(try producer.send("a", to: "orders").count == 1)
        return cluster.log(cluster.leader("orders"), "orders")
    }

    private func loseNextProduceAnswer(_ cluster: TestCluster) {
        var hasLost = false
        cluster.onRequest = { _, _, body in
            guard case .produce = body, !hasLost else { return .deliver }
            hasLost = true
            return .dropResponse
        }
    }

    @Test("Idempotence keeps the order of batches in flight when the first of them fails")
    func orderWithIdempotence() throws {
        #expect(try orderAfterRetry(isIdempotent: true) == ["first", "a", "b"])
    }

    @Test("Without idempotence a retry reorders batches in flight")
    func orderWithoutIdempotence() throws {
        #expect(try orderAfterRetry(isIdempotent: false) == ["first", "b", "a"])
    }

    /// Two batches in flight; the first is refused once.
    private func orderAfterRetry(isIdempotent: Bool) throws -> [String] {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let leader = cluster.leader("orders")
        let producer = TestProducer(cluster) {
            $0.isIdempotent = isIdempotent
            $0.linger = .zero
        }
        try producer.send("first", to: "orders")
        var refusals = 1
        cluster.onRequest = { from, to, body in
            guard case .produce = body, from == producer.node, to == leader, refusals > 0 else { return .deliver }
            refusals -= 1
            let refusal = ProduceResult(
                partition: cluster.id("orders"), error: .notEnoughReplicas, baseOffset: -1)
            return .answer(.produce([refusal]))
        }
        let first = producer.begin("a", to: "orders")
        let second = producer.begin("b", to: "orders")
        _ = try producer.wait(for: first)
        _ = try producer.wait(for: second)
        return cluster.log(leader, "orders")
    }

    @Test("After delivery.timeout.ms a record has failed, and whether it was written is unknown")
    func deliveryTimeout() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", minimumInSync: 2)
        let producer = TestProducer(cluster)
        try producer.send("a", to: "orders")
        let leader = cluster.leader("orders")
        cluster.onRequest = { _, _, body in if case .produce = body { .dropResponse } else { .deliver } }
        let start = cluster.now
        let failure = try error { try producer.send("b", to: "orders") }
        #expect(cluster.now - start >= .seconds(120))
        #expect(cluster.now - start < .seconds(121))
        #expect(failure.outcome == .unknown)
        #expect(failure.code == .messageTimedOut)
        #expect(cluster.log(leader, "orders") == ["a", "b"])
    }

    @Test("A record that never left the producer has failed without effect")
    func deliveryTimeoutUnsent() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        // Without the controller there is no producer id to send it under.
        cluster.kill(TestCluster.controllerID)
        let producer = TestProducer(cluster)
        let failure = try error { try producer.send("b", to: "orders") }
        #expect(failure.outcome == .noEffect)
    }

    @Test("Deduplication is per session: a restarted producer duplicates")
    func restartedProducer() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let first = TestProducer(cluster)
        loseNextProduceAnswer(cluster)
        _ = first.begin("a", to: "orders")
        cluster.run(for: .seconds(1))
        cluster.killClient(first.node)
        let second = TestProducer(cluster)
        try second.send("a", to: "orders")
        #expect(cluster.log(cluster.leader("orders"), "orders") == ["a", "a"])
    }

    @Test("A producer finds the new leader after a failover and loses nothing")
    func failover() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", minimumInSync: 2)
        let producer = TestProducer(cluster)
        var calls: [CallID] = []
        for number in 0..<40 {
            cluster.after(.milliseconds(Int64(number) * 500)) {
                calls.append(producer.begin("r\(number)", to: "orders"))
            }
        }
        let old = cluster.leader("orders")
        cluster.after(.seconds(3)) { cluster.kill(old) }
        cluster.run(for: .seconds(60))
        #expect(calls.count == 40)
        for call in calls { _ = try producer.wait(for: call) }
        #expect(cluster.log(cluster.leader("orders"), "orders") == (0..<40).map { "r\($0)" })
    }

    // MARK: Batches

    @Test("Records that come within linger.ms travel in one batch")
    func linger() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let producer = TestProducer(cluster) { $0.linger = .milliseconds(10) }
        try producer.send("first", to: "orders")
        let calls = ["a", "b", "c"].map { producer.begin($0, to: "orders") }
        for call in calls { _ = try producer.wait(for: call) }
        #expect(cluster.inspect(cluster.leader("orders"), "orders").batches.count == 2)
    }

    @Test("A batch that is full does not linger")
    func batchSize() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let producer = TestProducer(cluster) {
            $0.linger = .seconds(20)
            $0.batchByteLimit = 200
        }
        let records = (0..<10).map {
            ProducerRecord(topic: "orders", partition: 0, key: "k\($0)", value: .bytes(Array(repeating: 0, count: 80)))
        }
        let call = producer.begin(records)
        cluster.run(for: .seconds(5))
        // Nine of ten went out; the last waits for company.
        #expect(cluster.log(cluster.leader("orders"), "orders").count == 9)
        _ = try producer.wait(for: call)
        #expect(cluster.inspect(cluster.leader("orders"), "orders").batches.count == 10)
    }

    @Test("No more than max.in.flight.requests.per.connection are under way")
    func inFlightLimit() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let producer = TestProducer(cluster) {
            $0.linger = .zero
            $0.maximumInFlightRequests = 2
        }
        try producer.send("first", to: "orders")
        var sent = 0
        cluster.onRequest = { _, _, body in
            guard case .produce = body else { return .deliver }
            sent += 1
            return .drop
        }
        for number in 0..<10 { _ = producer.begin("r\(number)", to: "orders") }
        cluster.run(for: .seconds(1))
        #expect(sent == 2)
    }

    @Test("A key's partition is murmur2 of it, as Java clients compute it")
    func murmur2() {
        // From org.apache.kafka.common.utils.UtilsTest.
        #expect(Murmur2.hash("21") == -973_932_308)
        #expect(Murmur2.hash("foobar") == -790_332_482)
        #expect(Murmur2.hash("a-little-bit-long-string") == -985_981_536)
        #expect(Murmur2.hash("a-little-bit-longer-string") == -1_486_304_829)
        #expect(Murmur2.hash("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8") == -58_897_971)
        #expect(Murmur2.partition(of: "foobar", count: 7) == (-790_332_482 & 0x7fff_ffff) % 7)
    }

    @Test("Records of one key go to one partition; without a key to one after the other")
    func partitioning() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", partitions: 4)
        let producer = TestProducer(cluster)
        try producer.send((0..<20).map { _ in ProducerRecord(topic: "orders", key: "same", value: nil) })
        let counts = (0..<4).map { cluster.log(cluster.leader("orders", $0), "orders", $0).count }
        #expect(counts.sorted() == [0, 0, 0, 20])
        let failure = try error { try producer.send("a", to: "orders", partition: 4) }
        #expect(failure.code == .unknownPartition)
        #expect(failure.outcome == .noEffect)
    }

    @Test("A topic that does not exist fails after max.block.ms, without effect")
    func unknownTopic() throws {
        let cluster = TestCluster()
        let producer = TestProducer(cluster)
        let failure = try error { try producer.send("a", to: "nothing") }
        #expect(failure.code == .unknownTopicOrPartition)
        #expect(failure.outcome == .noEffect)
        // Created meanwhile, it is found.
        let call = producer.begin("a", to: "orders")
        cluster.run(for: .seconds(5))
        try cluster.createTopic("orders")
        guard case .sent = try producer.wait(for: call) else { return #expect(Bool(false)) }
    }

    @Test("Closing a producer waits for what is under way")
    func close() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders")
        let producer = TestProducer(cluster) { $0.linger = .seconds(30) }
        let call = producer.begin("a", to: "orders")
        cluster.run(for: .seconds(1))
        try producer.close()
        #expect(producer.result(of: call) != nil)
        #expect(cluster.log(cluster.leader("orders"), "orders") == ["a"])
        #expect(try error { try producer.send("b", to: "orders") }.code == .wrongState)
    }
}
