// swift-tools-version: 6.1
import PackageDescription

/// One house, seven floors: an edge points to a lower floor only, and `Tests/PackageTests` asserts it.
let package = Package(
  name: "graft",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "graft", targets: ["graft"]),
    .library(name: "Graft", targets: ["Graft"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/onevcat/Rainbow", from: "4.2.2"),
  ],
  targets: [
    // L0: C kernels, system libraries, JSON, files
    .target(name: "CKernels"),
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "GraftJSON"),
    .target(name: "GraftFiles"),
    .target(name: "GraftRegularExpressions"),

    // L1: values
    .target(name: "GraftTensors", dependencies: ["CKernels", "COpenBLAS"]),
    .target(name: "GraftBatching"),
    .target(name: "GraftTemplates", dependencies: ["GraftJSON"]),
    .target(name: "GraftTokenizers", dependencies: ["GraftRegularExpressions", "GraftFiles", "GraftJSON"]),
    .target(name: "GraftConfiguration", dependencies: ["GraftJSON"]),

    // L2: building blocks
    .target(name: "GraftLayers", dependencies: ["GraftTensors", "GraftBatching"]),
    .target(name: "GraftOptimizers", dependencies: ["GraftTensors", "CKernels"]),
    .target(
      name: "GraftDatasets",
      dependencies: ["GraftBatching", "GraftTemplates", "GraftTokenizers", "GraftConfiguration", "GraftFiles", "GraftJSON"]),

    // L3: files and training
    .target(
      name: "GraftCheckpoints",
      dependencies: ["CHDF5", "CLibCrypto", "CZlib", "GraftFiles", "GraftJSON", "GraftTensors", "GraftLayers"]),
    .target(name: "GraftTraining", dependencies: ["GraftLayers", "GraftOptimizers", "GraftBatching", "GraftTensors"]),

    // L4: what users combine
    .target(
      name: "GraftAdapters",
      dependencies: ["GraftRegularExpressions", "GraftTensors", "GraftLayers", "GraftCheckpoints", "GraftConfiguration", "GraftJSON"]),
    .target(
      name: "GraftModels",
      dependencies: ["GraftLayers", "GraftCheckpoints", "GraftConfiguration", "GraftJSON", "GraftBatching", "GraftTensors"]),
    .target(name: "GraftGeneration", dependencies: ["GraftLayers", "GraftTensors"]),

    // L5: assembly
    .target(
      name: "GraftRecipes",
      dependencies: [
        "GraftAdapters", "GraftModels", "GraftGeneration", "GraftTraining", "GraftDatasets", "GraftCheckpoints",
        "GraftTemplates", "GraftTokenizers", "GraftConfiguration", "GraftOptimizers", "GraftFiles", "GraftJSON", "GraftTensors", "GraftLayers",
        "GraftBatching",
        .product(name: "Yams", package: "Yams"),
      ]),
    .target(
      name: "Graft",
      dependencies: [
        "GraftAdapters", "GraftBatching", "GraftCheckpoints", "GraftConfiguration", "GraftDatasets", "GraftGeneration", "GraftJSON",
        "GraftLayers", "GraftModels", "GraftOptimizers", "GraftRecipes", "GraftTemplates", "GraftTensors", "GraftTokenizers", "GraftTraining",
      ],
      path: "Sources/GraftUmbrella"),

    // L6: the command line
    .executableTarget(
      name: "graft",
      dependencies: [
        "GraftAdapters", "GraftBatching", "GraftCheckpoints", "GraftConfiguration", "GraftDatasets", "GraftFiles", "GraftGeneration", "GraftJSON",
        "GraftLayers", "GraftModels", "GraftRecipes", "GraftTemplates", "GraftTensors", "GraftTokenizers", "GraftTraining",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Rainbow", package: "Rainbow"),
      ]),

    // Tests
    .target(name: "FuzzSupport", dependencies: ["GraftJSON"], path: "Tests/FuzzSupport"),
    .testTarget(name: "GraftJSONTests", dependencies: ["GraftJSON", "FuzzSupport"]),
    .testTarget(name: "GraftFilesTests", dependencies: ["GraftFiles"]),
    .testTarget(name: "GraftRegularExpressionsTests", dependencies: ["GraftRegularExpressions"]),
    .testTarget(name: "GraftTemplatesTests", dependencies: ["GraftTemplates", "GraftJSON", "FuzzSupport"], exclude: ["Fixtures"]),
    .testTarget(name: "GraftTensorsTests", dependencies: ["GraftTensors", "GraftJSON"], exclude: ["Fixtures"]),
    .testTarget(name: "GraftBatchingTests", dependencies: ["GraftBatching"]),
    .testTarget(
      name: "GraftTokenizersTests", dependencies: ["GraftTokenizers", "GraftJSON", "FuzzSupport"], exclude: ["Fixtures"]),
    .testTarget(name: "GraftConfigurationTests", dependencies: ["GraftConfiguration", "GraftJSON"]),
    .testTarget(
      name: "GraftDatasetsTests",
      dependencies: ["GraftDatasets", "GraftBatching", "GraftJSON", "GraftTemplates", "GraftTokenizers", "FuzzSupport"], exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftCheckpointsTests", dependencies: ["GraftCheckpoints", "GraftJSON", "GraftTensors", "FuzzSupport"], exclude: ["Fixtures"]),
    .testTarget(name: "GraftOptimizersTests", dependencies: ["GraftOptimizers", "GraftTensors", "GraftJSON"], exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftModelsTests",
      dependencies: [
        "GraftModels", "GraftBatching", "GraftCheckpoints", "GraftJSON", "GraftLayers", "GraftOptimizers", "GraftTensors", "GraftTraining",
      ],
      exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftAdaptersTests",
      dependencies: [
        "GraftAdapters", "GraftBatching", "GraftCheckpoints", "GraftConfiguration", "GraftGeneration", "GraftJSON", "GraftLayers", "GraftModels",
        "GraftOptimizers", "GraftTensors",
      ],
      exclude: ["Fixtures"]),
    .testTarget(name: "GraftLayersTests", dependencies: ["GraftLayers", "GraftBatching", "GraftTensors"], exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftTrainingTests",
      dependencies: ["GraftTraining", "GraftOptimizers", "GraftLayers", "GraftBatching", "GraftTensors"], exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftGenerationTests", dependencies: ["GraftGeneration", "GraftBatching", "GraftModels", "GraftLayers", "GraftTensors", "GraftJSON"],
      exclude: ["Fixtures"]),
    .testTarget(name: "PackageTests", dependencies: ["GraftJSON"]),
    .testTarget(name: "CommandLineTests", dependencies: ["graft", "GraftCheckpoints", "GraftJSON", "GraftTensors"]),
    .testTarget(
      name: "GraftRecipesTests",
      dependencies: [
        "GraftRecipes", "GraftAdapters", "GraftBatching", "GraftCheckpoints", "GraftConfiguration", "GraftDatasets", "GraftGeneration", "GraftJSON",
        "GraftLayers", "GraftModels", "GraftOptimizers", "GraftTensors", "GraftTraining", "FuzzSupport",
      ],
      exclude: ["Fixtures"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c17
)

// Scripts/fuzz/all builds it under libFuzzer.
if Context.environment["GRAFT_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "FuzzReaders", dependencies: ["GraftCheckpoints", "GraftDatasets", "GraftTemplates", "GraftTokenizers", "GraftJSON"],
      path: "Scripts/fuzz",
      exclude: ["all", "corpus"]))
}
