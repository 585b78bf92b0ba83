import Ports
import SimCore
import Testing

@Suite("Replication")
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

    @Test("A consumer of a group reads what was produced")
    func consumed() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", partitions: 4)
        let producer = TestProducer(cluster)
        let consumer = TestConsumer(cluster, group: "shop")
        try consumer.subscribe("orders")
        try producer.send((0..<100).map { ProducerRecord(topic: "orders", key: "k\($0)", value: .bytes([1])) })
        let received = try consumer.receive(100)
        #expect(Set(received).count == 100)
        #expect(consumer.machine.assignment.count == 4)
    }
}
