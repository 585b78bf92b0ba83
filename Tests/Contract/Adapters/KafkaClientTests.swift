#if Production
    import AdapterKafka
    import Ports
    import Testing

    /// What a client of librdkafka does by itself, without any broker.
    @Suite("Kafka clients without a broker", .serialized, .timeLimit(.minutes(2)))
    struct KafkaClientTests {
        /// Nobody listens at port 1 of this machine.
        private static func withoutBroker() -> KafkaEventLog {
            var settings = KafkaSettings(bootstrapServers: "127.0.0.1:1")
            settings.callTimeout = .seconds(1)
            return KafkaEventLog(settings)
        }

        private static func producer(_ log: KafkaEventLog) async throws -> any EventProducer {
            var settings = ProducerSettings(clientID: "p")
            settings.deliveryTimeout = .seconds(1)
            settings.requestTimeout = .milliseconds(500)
            return try await log.makeProducer(settings)
        }

        @Test("A record that no broker takes fails after the delivery timeout: brokers were down from the start")
        func nobodyTakesIt() async throws {
            let log = Self.withoutBroker()
            try await withThrowingTaskGroup { group in
                for _ in 0..<100 {
                    group.addTask {
                        let producer = try await Self.producer(log)
                        await #expect(throws: EventLogError.self) {
                            _ = try await producer.send([ProducerRecord(topic: "t", key: "k", value: .json(1))])
                        }
                        await producer.close()
                    }
                }
                try await group.waitForAll()
            }
            await log.close()
        }

        @Test("A send that was cancelled before it waits does not wait")
        func cancelledBefore() async throws {
            let log = Self.withoutBroker()
            let producer = try await Self.producer(log)
            let sending = Task {
                while !Task.isCancelled { await Task.yield() }
                _ = try await producer.send([ProducerRecord(topic: "t", key: "k", value: .json(1))])
            }
            sending.cancel()
            await #expect(throws: CancellationError.self) { try await sending.value }
            await producer.close()
            await log.close()
        }

        @Test("A producer that is closed while others send ends their calls, and refuses later ones")
        func closedWhileSending() async throws {
            let log = Self.withoutBroker()
            for _ in 0..<20 {
                let producer = try await Self.producer(log)
                await withTaskGroup { group in
                    for _ in 0..<8 {
                        group.addTask {
                            _ = await #expect(throws: EventLogError.self) {
                                _ = try await producer.send([ProducerRecord(topic: "t", key: "k", value: .json(1))])
                            }
                        }
                    }
                    group.addTask { await producer.close() }
                }
            }
            await log.close()
        }

        @Test("A consumer that is closed while another task polls ends the poll")
        func closedWhilePolling() async throws {
            let log = Self.withoutBroker()
            for _ in 0..<20 {
                let consumer = try await log.makeConsumer(ConsumerSettings(clientID: "c", groupID: "g"))
                try await consumer.assign([CommittedOffset(TopicPartition("t", 0), 0)])
                async let poll = consumer.poll(maximumRecords: 1, timeout: .seconds(600))
                await consumer.close()
                do {
                    #expect(try await poll.isEmpty)
                } catch let error as EventLogError {
                    // It came too late.
                    #expect(error.code == .wrongState)
                }
            }
            await log.close()
        }
    }
#endif
