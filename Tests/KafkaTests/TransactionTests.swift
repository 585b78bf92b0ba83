import Ports
import Testing

@testable import SimCore

@Suite("Transactions")
struct TransactionTests {
    private func makeCluster(partitions: Int32 = 1) throws -> TestCluster {
        let cluster = TestCluster()
        try cluster.createTopic("orders", partitions: partitions, minimumInSync: 2)
        return cluster
    }

    private func makeProducer(_ cluster: TestCluster, _ id: String = "shop") throws -> TestProducer {
        let producer = TestProducer(cluster) { $0.transactionalID = id }
        try producer.initialize()
        return producer
    }

    private func reader(_ cluster: TestCluster, isReadCommitted: Bool = true) throws -> TestConsumer {
        let consumer = TestConsumer(cluster, group: nil) { $0.isReadCommitted = isReadCommitted }
        try consumer.assign("orders")
        return consumer
    }

    @Test("read_committed sees a transaction's records only after its commit; markers take offsets")
    func commit() throws {
        let cluster = try makeCluster()
        let producer = try makeProducer(cluster)
        let consumer = try reader(cluster)
        try producer.beginTransaction()
        #expect(try producer.send("a", "b", to: "orders") == [0, 1])
        #expect(try consumer.poll(timeout: .seconds(2)).isEmpty)
        let leader = cluster.leader("orders")
        #expect(cluster.inspect(leader, "orders").highWatermark == 2)
        #expect(cluster.inspect(leader, "orders").lastStableOffset == 0)
        try producer.commit()
        #expect(try consumer.receive(2) == ["a", "b"])
        try producer.beginTransaction()
        // Offset 2 is the marker's.
        #expect(try producer.send("c", to: "orders") == [3])
        try producer.commit()
        #expect(try consumer.receive(1) == ["c"])
    }

    @Test("Aborted records are filtered by read_committed and seen by read_uncommitted")
    func abort() throws {
        let cluster = try makeCluster()
        let producer = try makeProducer(cluster)
        try producer.beginTransaction()
        try producer.send("aborted", to: "orders")
        try producer.abort()
        try producer.beginTransaction()
        try producer.send("committed", to: "orders")
        try producer.commit()
        cluster.run(for: .seconds(1))
        #expect(try reader(cluster).receive(1) == ["committed"])
        #expect(try reader(cluster, isReadCommitted: false).receive(2) == ["aborted", "committed"])
    }

    @Test("An open transaction holds back the last stable offset for everybody")
    func lastStableOffset() throws {
        let cluster = try makeCluster()
        let slow = try makeProducer(cluster, "slow")
        let fast = try makeProducer(cluster, "fast")
        let consumer = try reader(cluster)
        try slow.beginTransaction()
        try slow.send("slow", to: "orders")
        try fast.beginTransaction()
        try fast.send("fast", to: "orders")
        try fast.commit()
        try TestProducer(cluster).send("plain", to: "orders")
        #expect(try consumer.poll(timeout: .seconds(3)).isEmpty)
        try slow.commit()
        #expect(try consumer.receive(3) == ["slow", "fast", "plain"])
    }

    @Test("A transaction over several partitions is committed in all of them")
    func severalPartitions() throws {
        let cluster = try makeCluster(partitions: 3)
        let producer = try makeProducer(cluster)
        try producer.beginTransaction()
        for partition: Int32 in 0..<3 { try producer.send("r\(partition)", to: "orders", partition: partition) }
        try producer.commit()
        cluster.run(for: .seconds(1))
        for partition: Int32 in 0..<3 {
            let state = cluster.inspect(cluster.leader("orders", partition), "orders", partition)
            #expect(state.lastStableOffset == 2)
        }
    }

    @Test("Initialising again bumps the epoch and fences the older producer")
    func fencing() throws {
        let cluster = try makeCluster()
        let old = try makeProducer(cluster)
        try old.beginTransaction()
        try old.send("old", to: "orders")
        let new = try makeProducer(cluster)
        #expect(new.machine.identity.id == old.machine.identity.id)
        #expect(new.machine.identity.epoch > old.machine.identity.epoch)
        // Its open transaction was aborted; it learns so when it writes or commits.
        let write = try error { try old.send("zombie", to: "orders") }
        #expect(write.code == .producerFenced)
        #expect(write.isFatal)
        let end = try error { try old.abort() }
        #expect(end.code == .producerFenced)
        #expect(end.isFatal)
        try new.beginTransaction()
        try new.send("new", to: "orders")
        try new.commit()
        #expect(try reader(cluster).receive(1) == ["new"])
    }

    @Test("A transaction that is open beyond its timeout is aborted, and its producer fenced")
    func timeout() throws {
        let cluster = try makeCluster()
        let producer = TestProducer(cluster) {
            $0.transactionalID = "shop"
            $0.transactionTimeout = .seconds(20)
        }
        try producer.initialize()
        try producer.beginTransaction()
        try producer.send("late", to: "orders")
        cluster.run(for: .seconds(45))
        #expect(cluster.inspect(cluster.leader("orders"), "orders").lastStableOffset == 2)
        #expect(try error { try producer.commit() }.code == .producerFenced)
        #expect(try reader(cluster).poll(timeout: .seconds(3)).isEmpty)
    }

    @Test("A timeout above transaction.max.timeout.ms is refused with 50")
    func timeoutLimit() throws {
        let cluster = try makeCluster()
        let producer = TestProducer(cluster) {
            $0.transactionalID = "shop"
            $0.transactionTimeout = .minutes(16)
        }
        #expect(ClusterSettings().transactionMaximumTimeout == .minutes(15))
        #expect(try error { try producer.initialize() }.code == .invalidTransactionTimeout)
    }

    @Test("While the end of a transaction is being marked, the id is answered with 51")
    func concurrentTransactions() throws {
        let cluster = try makeCluster()
        let producer = try makeProducer(cluster)
        try producer.beginTransaction()
        try producer.send("a", to: "orders")
        // The markers cannot be written: the leader's broker does not hear the coordinator.
        cluster.onRequest = { _, _, body in if case .writeTransactionMarkers = body { .drop } else { .deliver } }
        let raw = RawClient(cluster)
        let coordinator = try raw.coordinator(.transaction, "shop")
        guard coordinator != cluster.leader("orders") else { return }
        try producer.commit()
        let request = AddPartitionsToTransactionRequest(
            transactionalID: "shop", producer: producer.machine.identity, partitions: [cluster.id("orders")])
        guard
            case .addPartitionsToTransaction(let errors) = try raw.ask(
                .addPartitionsToTransaction(request), of: coordinator)
        else { throw TestClient.NoResult() }
        #expect(errors[0].error == .concurrentTransactions)
    }

    @Test("A wrong epoch is refused with 90, a wrong producer id with 49, an end without a beginning with 48")
    func coordinatorErrors() throws {
        let cluster = try makeCluster()
        let producer = try makeProducer(cluster)
        let raw = RawClient(cluster)
        let coordinator = try raw.coordinator(.transaction, "shop")
        let identity = producer.machine.identity
        func end(_ producer: ProducerIdentity) throws -> KafkaErrorCode {
            let request = EndTransactionRequest(transactionalID: "shop", producer: producer, isCommit: true)
            guard case .endTransaction(let error) = try raw.ask(.endTransaction(request), of: coordinator) else {
                throw TestClient.NoResult()
            }
            return error
        }
        #expect(try end(ProducerIdentity(id: identity.id, epoch: identity.epoch + 1)) == .producerFenced)
        #expect(try end(ProducerIdentity(id: identity.id + 1, epoch: 0)) == .invalidProducerIDMapping)
        #expect(try end(identity) == .invalidTransactionState)
    }

    @Test("Another broker takes the coordinator's place and finishes what was prepared")
    func coordinatorMove() throws {
        let cluster = try makeCluster()
        let producer = try makeProducer(cluster)
        try producer.beginTransaction()
        try producer.send("a", to: "orders")
        let raw = RawClient(cluster)
        let coordinator = try raw.coordinator(.transaction, "shop")
        // Prepared, but no marker is written.
        cluster.onRequest = { _, _, body in if case .writeTransactionMarkers = body { .drop } else { .deliver } }
        let call = producer.beginCommit()
        cluster.run(for: .milliseconds(100))
        cluster.kill(coordinator)
        cluster.onRequest = nil
        cluster.run(for: .seconds(30))
        _ = try producer.wait(for: call)
        #expect(try reader(cluster).receive(1) == ["a"])
        try producer.beginTransaction()
        try producer.send("b", to: "orders")
        try producer.commit()
        #expect(try reader(cluster).receive(2) == ["a", "b"])
    }

    @Test("A new leader of a partition knows its open and aborted transactions")
    func leaderMove() throws {
        let cluster = try makeCluster()
        let producer = try makeProducer(cluster)
        try producer.beginTransaction()
        try producer.send("aborted", to: "orders")
        try producer.abort()
        try producer.beginTransaction()
        try producer.send("open", to: "orders")
        cluster.run(for: .seconds(1))
        cluster.kill(cluster.leader("orders"))
        cluster.run(for: .seconds(15))
        let consumer = try reader(cluster)
        #expect(try consumer.poll(timeout: .seconds(3)).isEmpty)
        try producer.commit()
        #expect(try consumer.receive(1) == ["open"])
    }

    @Test("Offsets that are sent in a transaction count when it commits")
    func offsets() throws {
        let cluster = try makeCluster()
        try TestProducer(cluster).send("in", to: "orders")
        try cluster.createTopic("results", minimumInSync: 2)
        let consumer = TestConsumer(cluster, group: "workers")
        try consumer.subscribe("orders")
        #expect(try consumer.receive(1) == ["in"])
        let producer = try makeProducer(cluster)
        try producer.beginTransaction()
        try producer.send("out", to: "results")
        try producer.sendOffsets([CommittedOffset(TopicPartition("orders", 0), 1)], of: consumer)
        let administration = TestAdministration(cluster)
        #expect(try administration.committedOffsets(of: "workers").isEmpty)
        try producer.commit()
        cluster.run(for: .seconds(1))
        #expect(try administration.committedOffsets(of: "workers").map(\.offset) == [1])
        try producer.beginTransaction()
        try producer.sendOffsets([CommittedOffset(TopicPartition("orders", 0), 5)], of: consumer)
        try producer.abort()
        cluster.run(for: .seconds(1))
        #expect(try administration.committedOffsets(of: "workers").map(\.offset) == [1])
    }

    @Test("Offsets in a transaction are fenced by the group's generation")
    func fencedOffsets() throws {
        let cluster = try makeCluster()
        let consumer = TestConsumer(cluster, group: "workers")
        try consumer.subscribe("orders")
        #expect(try consumer.poll(until: { !consumer.machine.assignment.isEmpty }))
        let stale = consumer.machine.groupMetadata!
        try consumer.close()
        let producer = try makeProducer(cluster)
        try producer.beginTransaction()
        let call = cluster.newCall()
        cluster.call(producer.node) {
            producer.machine.sendOffsets(
                [CommittedOffset(TopicPartition("orders", 0), 1)], of: stale, call: call, now: cluster.now,
                effects: &$0)
        }
        let failure = try error { _ = try producer.wait(for: call) }
        #expect(failure.code == .unknownMemberID)
        #expect(failure.requiresAbort)
        #expect(try error { try producer.commit() }.requiresAbort)
        try producer.abort()
    }

    @Test("OffsetFetch answers 88 while a transaction's offsets are pending")
    func unstableOffsets() throws {
        let cluster = try makeCluster()
        let consumer = TestConsumer(cluster, group: "workers")
        try consumer.subscribe("orders")
        #expect(try consumer.poll(until: { !consumer.machine.assignment.isEmpty }))
        let producer = try makeProducer(cluster)
        try producer.beginTransaction()
        try producer.sendOffsets([CommittedOffset(TopicPartition("orders", 0), 1)], of: consumer)
        let raw = RawClient(cluster)
        let coordinator = try raw.coordinator(.group, "workers")
        func fetch() throws -> KafkaResponseBody {
            let request = OffsetFetchRequest(group: "workers", partitions: [cluster.id("orders")], requiresStable: true)
            return try raw.ask(.offsetFetch(request), of: coordinator)
        }
        guard case .offsetFetch(.unstableOffsetCommit, _) = try fetch() else { return #expect(Bool(false)) }
        try producer.commit()
        cluster.run(for: .seconds(1))
        guard case .offsetFetch(.none, let offsets) = try fetch() else { return #expect(Bool(false)) }
        #expect(offsets.map(\.offset) == [1])
    }

    @Test("Transactional ids expire after 7 days without use")
    func idsExpire() throws {
        var settings = ClusterSettings()
        #expect(settings.transactionalIDExpiration == .hours(168))
        settings.transactionalIDExpiration = .minutes(20)
        settings.transactionalIDExpirationCheckInterval = .minutes(5)
        let cluster = TestCluster(settings: settings)
        try cluster.createTopic("orders") { $0.retention = nil }
        let producer = try makeProducer(cluster)
        try producer.beginTransaction()
        try producer.send("a", to: "orders")
        try producer.commit()
        cluster.run(for: .minutes(30))
        try producer.beginTransaction()
        let call = producer.begin("b", to: "orders")
        cluster.run(for: .seconds(5))
        _ = call
        #expect(try error { try producer.commit() }.requiresAbort)
        let successor = try makeProducer(cluster)
        #expect(successor.machine.identity.id != producer.machine.identity.id)
    }

    @Test("A batch that expires in a transaction leaves nothing but to abort it; the next one works")
    func expiredBatch() throws {
        let cluster = try makeCluster()
        let producer = TestProducer(cluster) {
            $0.transactionalID = "shop"
            $0.deliveryTimeout = .seconds(40)
            $0.transactionTimeout = .minutes(5)
        }
        try producer.initialize()
        try producer.beginTransaction()
        cluster.onRequest = { _, _, body in if case .produce = body { .drop } else { .deliver } }
        #expect(try error { try producer.send("expired", to: "orders") }.requiresAbort)
        cluster.onRequest = nil
        #expect(try error { try producer.commit() }.requiresAbort)
        try producer.abort()
        try producer.beginTransaction()
        try producer.send("b", to: "orders")
        try producer.commit()
        #expect(try reader(cluster).receive(1) == ["b"])
    }

    @Test("A producer without a transactional id has no transactions; one with it writes only in them")
    func wrongState() throws {
        let cluster = try makeCluster()
        let plain = TestProducer(cluster)
        #expect(try error { try plain.beginTransaction() }.code == .wrongState)
        let producer = try makeProducer(cluster)
        #expect(try error { try producer.send("a", to: "orders") }.code == .wrongState)
        #expect(try error { try producer.commit() }.code == .wrongState)
        try producer.beginTransaction()
        #expect(try error { try producer.beginTransaction() }.code == .wrongState)
        try producer.commit()
    }
}
