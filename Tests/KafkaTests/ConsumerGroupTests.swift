import Ports
import Testing

@testable import SimCore

@Suite("Consumers in a group")
struct ConsumerGroupTests {
    @Test("A member that is given partitions before it knows where they are reads them once it does")
    func assignedBeforeMetadata() throws {
        let cluster = TestCluster()
        try cluster.createTopic("orders", partitions: 2)
        let leader = TestConsumer(cluster, group: "workers")
        try leader.subscribe("orders")
        #expect(try leader.poll(until: { leader.machine.assignment.count == 2 }))
        let late = TestConsumer(cluster, group: "workers")
        var losesMetadata = true
        cluster.onRequest = { from, _, body in
            if losesMetadata, from == late.node, case .metadata = body { return .drop }
            return .deliver
        }
        try late.subscribe("orders")
        let call = late.beginPoll(timeout: .minutes(2))
        #expect(try leader.poll(until: { leader.machine.assignment.count == 1 }))
        _ = try leader.poll(timeout: .seconds(5))
        #expect(late.machine.assignment.isEmpty)
        losesMetadata = false
        #expect(try leader.poll(until: { late.machine.assignment.count == 1 }))
        let partition = try #require(late.machine.assignment.first).partition
        try TestProducer(cluster).send("a", to: "orders", partition: partition)
        guard case .polled(let fetched) = try late.wait(for: call) else { throw TestClient.NoResult() }
        #expect(fetched.count == 1)
    }
}
