import Ports
import Testing

@testable import Domain

struct SubscriberHubTests {
    private let key = UniqueID(high: 1, low: 2)

    @Test("A stream that goes on after its Last-Event-ID looks into the database only for what is newer")
    func seenBefore() async throws {
        let hub = SubscriberHub<String>()
        let subscription = hub.subscribe(to: key, seen: 5)
        hub.wake(key, unlessSeen: 5)
        hub.publish("step 6", to: key)
        #expect(try await subscription.next() == ["step 6"], "it was not sent to the database first")
        hub.wake(key, unlessSeen: 6)
        #expect(try await subscription.next().isEmpty)
    }

    @Test("A stream that has ended is told nothing any more, and its key is watched no longer")
    func unsubscribed() {
        let hub = SubscriberHub<String>()
        let (first, second) = (hub.subscribe(to: key, seen: 0), hub.subscribe(to: key, seen: 0))
        hub.unsubscribe(first)
        #expect(hub.watchedKeys == [key])
        hub.unsubscribe(second)
        #expect(hub.watchedKeys.isEmpty)
    }
}
