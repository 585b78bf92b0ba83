import Outbox
import Ports

/// The HTTP interface of the inventory.
struct InventoryHTTP: HTTPHandler {
    let ports: ServicePorts
    let settings: ShopSettings
    let runner: CommandRunner

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        await HTTPSupport.answer(ports, request, InventoryService.operations) { try await route(request) }
    }

    private func route(_ request: HTTPRequest) async throws -> HTTPResponse {
        let path = HTTPSupport.segments(of: request)
        guard path.first == "items" else { throw NoSuchRoute() }
        switch (request.method, path.count) {
        case (.get, 1):
            let page = try Page(request, time: ItemsTable.createdAt, id: ItemsTable.id, settings)
            return page.response(try await page.read(from: ItemsTable.table, runner), Self.json)
        case (.post, 1): return try await create(request)
        case (.get, 2): return try await show(try HTTPSupport.id(path[1], of: "item"))
        case (.put, 2): return try await reprice(try HTTPSupport.id(path[1], of: "item"), request)
        case (.post, 3) where path[2] == "restock":
            return try await restock(try HTTPSupport.id(path[1], of: "item"), request)
        default: throw NoSuchRoute()
        }
    }

    /// An item as clients see it; `quantity` is what can be ordered.
    static func json(_ row: Row) -> JSONValue {
        .object([
            JSONMember("id", .string(row.uuid(ItemsTable.id).description)),
            JSONMember("name", .string(row.text(ItemsTable.name))),
            JSONMember("image", .string(row.text(ItemsTable.image))),
            JSONMember("price", WireFormat.price(row.int64(ItemsTable.unitPrice))),
            JSONMember("quantity", .integer(row.int64(ItemsTable.available))),
        ])
    }

    private func show(_ id: UniqueID) async throws -> HTTPResponse {
        guard let item = try await runner.query([ItemsTable.keyed.select([id])])[0].rows.first else {
            throw ProblemDocument.notFound("item", id.description)
        }
        return HTTPResponse(200, body: .json(Self.json(item)))
    }

    /// `POST /items`: `{name, price, image?, quantity?}`
    private func create(_ request: HTTPRequest) async throws -> HTTPResponse {
        let reader = try RequestReader(request, settings)
        let name = try reader.text("name")
        guard let price = try reader.optionalPrice("price") else { throw ProblemDocument.invalid("price", "is needed") }
        let image = try reader.optionalText("image") ?? ""
        let quantity = reader["quantity"] == nil ? 0 : try reader.integer("quantity", in: 0...Self.maximumRestock)
        let seed = InventorySeed(
            id: ports.identifiers.next(), name: name, image: image, unitPrice: price, quantity: quantity)
        return try await runner.run(request, loads: []) { _, cause, work in
            let row = seed.write(into: &work, identifiers: ports.identifiers, settings: settings, causedBy: cause)
            let response = HTTPResponse(
                201, headers: [HTTPHeader("location", "/items/\(seed.id)")], body: .json(Self.json(row)))
            return CommandOutcome(response: response, committed: ())
        } didCommit: {
        }
    }

    /// The most pieces that one restocking can bring.
    private static var maximumRestock: Int64 { 1_000_000_000 }

    /// `POST /items/{id}/restock`: `{quantity}`
    private func restock(_ id: UniqueID, _ request: HTTPRequest) async throws -> HTTPResponse {
        let quantity = try RequestReader(request, settings).integer("quantity", in: 1...Self.maximumRestock)
        return try await runner.run(request, loads: [ItemsTable.keyed.selectForUpdate([id])]) { loaded, _, work in
            guard var item = loaded[loaded.startIndex].rows.first else {
                throw ProblemDocument.notFound("item", id.description)
            }
            let (stocked, overflow) = item.int64(ItemsTable.stocked).addingReportingOverflow(quantity)
            guard !overflow else { throw ProblemDocument.invalid("quantity", "the stock would not fit a number") }
            let increments = [ItemsTable.available, ItemsTable.stocked].map { Assignment.increment($0, by: quantity) }
            work.add(.update(Update(ItemsTable.table, set: increments, where: [ItemsTable.id == .uuid(id)])))
            work.insert(
                [.uuid(ports.identifiers.next()), .uuid(id), .int64(quantity), .timestamp(work.now)],
                into: RestocksTable.table)
            item.values[ItemsTable.available.ordinal] = .int64(item.int64(ItemsTable.available) + quantity)
            item.values[ItemsTable.stocked.ordinal] = .int64(stocked)
            return CommandOutcome(response: HTTPResponse(200, body: .json(Self.json(item))), committed: ())
        } didCommit: {
        }
    }

    /// `PUT /items/{id}`: `{price, name?, image?}`; announces the new price.
    private func reprice(_ id: UniqueID, _ request: HTTPRequest) async throws -> HTTPResponse {
        let reader = try RequestReader(request, settings)
        guard let price = try reader.optionalPrice("price") else { throw ProblemDocument.invalid("price", "is needed") }
        let name = try reader.optionalText("name")
        let image = try reader.optionalText("image")
        return try await runner.run(request, loads: [ItemsTable.keyed.selectForUpdate([id])]) { loaded, cause, work in
            guard var item = loaded[loaded.startIndex].rows.first else {
                throw ProblemDocument.notFound("item", id.description)
            }
            let version = item.int64(ItemsTable.version) + 1
            item.values[ItemsTable.unitPrice.ordinal] = .int64(price)
            if let name { item.values[ItemsTable.name.ordinal] = .text(name) }
            if let image { item.values[ItemsTable.image.ordinal] = .text(image) }
            item.values[ItemsTable.version.ordinal] = .int64(version)
            let columns = [ItemsTable.unitPrice, ItemsTable.name, ItemsTable.image, ItemsTable.version]
            work.add(
                .update(
                    Update(
                        ItemsTable.table, set: columns.map { .set($0, item[$0]) }, where: [ItemsTable.id == .uuid(id)]))
            )
            InventorySeed.publishPrice(
                of: item, into: &work, identifiers: ports.identifiers, settings: settings, causedBy: cause)
            return CommandOutcome(response: HTTPResponse(200, body: .json(Self.json(item))), committed: ())
        } didCommit: {
        }
    }
}
