#if Production
    import AdapterJSON
    import Crdkafka
    import Ports

    /// Hands records to librdkafka, which copies them into its queue. Never waits.
    ///
    /// One encoder serves one call: it keeps the topic's handle and the buffer for JSON text from record to record.
    struct RecordEncoder: ~Copyable {
        private let client: ClientPointer
        private var topicName: String?
        private var topic: OpaquePointer?
        private var text: [UInt8] = []
        private let arguments: UnsafeMutableBufferPointer<rd_kafka_vu_t>

        init(_ client: ClientPointer) {
            self.client = client
            arguments = .allocate(capacity: 7)
            arguments.initialize(repeating: rd_kafka_vu_t())
        }

        deinit {
            arguments.deallocate()
            if let topic { rd_kafka_topic_destroy(topic) }
        }

        /// - Returns: `RD_KAFKA_RESP_ERR__QUEUE_FULL` when the record has to be offered again later.
        mutating func produce(_ record: ProducerRecord, opaque: UnsafeMutableRawPointer?) -> rd_kafka_resp_err_t {
            if topicName != record.topic {
                if let topic { rd_kafka_topic_destroy(topic) }
                topic = rd_kafka_topic_new(client.raw, record.topic, nil)
                topicName = record.topic
            }
            guard let topic else { return rd_kafka_last_error() }
            arguments[0].vtype = RD_KAFKA_VTYPE_RKT
            arguments[0].u.rkt = topic
            arguments[1].vtype = RD_KAFKA_VTYPE_PARTITION
            arguments[1].u.i32 = record.partition ?? RD_KAFKA_PARTITION_UA
            arguments[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS
            arguments[2].u.i = RD_KAFKA_MSG_F_COPY
            arguments[3].vtype = RD_KAFKA_VTYPE_OPAQUE
            arguments[3].u.ptr = opaque
            let (client, arguments) = (client, arguments)
            return Self.withBytes(of: record.value, &text) { value in
                arguments[4].vtype = RD_KAFKA_VTYPE_VALUE
                arguments[4].u.mem = .init(ptr: value.flatMap { Self.address($0) }, size: value?.count ?? 0)
                guard var key = record.key else { return Self.send(arguments, 5, record.headers, client) }
                return key.withUTF8 { key in
                    arguments[5].vtype = RD_KAFKA_VTYPE_KEY
                    arguments[5].u.mem = .init(ptr: Self.address(key), size: key.count)
                    return Self.send(arguments, 6, record.headers, client)
                }
            }
        }

        /// The bytes of a value; `nil` for a tombstone.
        private static func withBytes(
            of value: Payload?, _ text: inout [UInt8],
            _ body: (UnsafeBufferPointer<UInt8>?) -> rd_kafka_resp_err_t
        ) -> rd_kafka_resp_err_t {
            switch value {
            case nil: return body(nil)
            case .json(let json)?:
                text.removeAll(keepingCapacity: true)
                JSONWriter.write(json, to: &text)
                return text.withUnsafeBufferPointer(body)
            case .bytes(let bytes)?:
                // An empty array has no address, and no address would make it a tombstone.
                let storage = bytes.isEmpty ? [0] : bytes
                return storage.withUnsafeBufferPointer {
                    body(UnsafeBufferPointer(rebasing: $0.prefix(bytes.count)))
                }
            }
        }

        private static func address(_ bytes: UnsafeBufferPointer<UInt8>) -> UnsafeMutableRawPointer? {
            bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0) }
        }

        private static func send(
            _ arguments: UnsafeMutableBufferPointer<rd_kafka_vu_t>, _ count: Int, _ headers: [RecordHeader],
            _ client: ClientPointer
        ) -> rd_kafka_resp_err_t {
            var count = count
            var list: OpaquePointer?
            if !headers.isEmpty {
                list = rd_kafka_headers_new(headers.count)
                for header in headers { add(header, to: list) }
                arguments[count].vtype = RD_KAFKA_VTYPE_HEADERS
                arguments[count].u.headers = list
                count += 1
            }
            guard let error = rd_kafka_produceva(client.raw, arguments.baseAddress, count) else {
                return RD_KAFKA_RESP_ERR_NO_ERROR
            }
            // The list is librdkafka's only when it took the record.
            if let list { rd_kafka_headers_destroy(list) }
            defer { rd_kafka_error_destroy(error) }
            return rd_kafka_error_code(error)
        }

        private static func add(_ header: RecordHeader, to list: OpaquePointer?) {
            var name = header.name
            var value = header.value
            name.withUTF8 { name in
                value.withUTF8 { value in
                    _ = rd_kafka_header_add(
                        list, Self.address(name)?.assumingMemoryBound(to: CChar.self), name.count, value.baseAddress,
                        value.count)
                }
            }
        }
    }
#endif
