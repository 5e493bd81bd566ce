#include "wat.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <errno.h>
#include <unistd.h>

#include <wabt/binary-writer-spec.h>
#include <wabt/binary-writer.h>
#include <wabt/error.h>
#include <wabt/feature.h>
#include <wabt/ir.h>
#include <wabt/stream.h>
#include <wabt/wast-lexer.h>
#include <wabt/wast-parser.h>

#include "catnap.h"
#include "wat_source.h"

namespace {

/* The parser accepts all features; the validator decides which of them a module may use. */
wabt::Features all_features() {
    wabt::Features features;
    features.EnableAll();
    return features;
}

wabt::WriteBinaryOptions write_options() {
    const bool canonical_lebs = true, relocatable = false, debug_names = true;
    return wabt::WriteBinaryOptions(all_features(), canonical_lebs, relocatable, debug_names);
}

bool write_all(int fd, const void *data, size_t size) {
    const char *next = static_cast<const char *>(data);
    while (size > 0) {
        ssize_t n = write(fd, next, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        next += n;
        size -= static_cast<size_t>(n);
    }
    return true;
}

/* Messages quote the text, which may have line feeds in its names. */
std::string escaped(const std::string &text) {
    size_t length = catnap_escape(CATNAP_ESCAPE_TEXT, text.data(), text.size(), nullptr, 0);
    std::string result(length + 1, '\0');
    catnap_escape(CATNAP_ESCAPE_TEXT, text.data(), text.size(), result.data(), result.size());
    result.resize(length);
    return result;
}

wat_result write_errors(int fd, const wabt::Errors &errors, const WatSource &source) {
    const size_t most = 10;
    std::string text;
    for (size_t i = 0; i < errors.size() && i < most; i++) {
        const wabt::Location &at = errors[i].loc;
        text += (i > 0 ? "\n" : "") + std::to_string(at.line) + ":" +
                std::to_string(source.column(at.line, at.first_column)) + ": " +
                escaped(errors[i].message);
    }
    return write_all(fd, text.data(), text.size()) ? WAT_REFUSED : WAT_FAILED;
}

bool write_counted(int fd, const void *data, uint64_t size) {
    return write_all(fd, &size, sizeof(size)) && write_all(fd, data, size);
}

bool write_file(int fd, std::string_view name, const wabt::OutputBuffer &contents) {
    return write_counted(fd, name.data(), name.size()) &&
           write_counted(fd, contents.data.data(), contents.size());
}

} // namespace

wat_result wat_to_binary(const char *name, const void *text, size_t length, int fd) {
    const WatSource source(text, length);
    wabt::Errors errors;
    std::unique_ptr<wabt::Module> module;
    wabt::WastParseOptions options(all_features());
    auto lexer = wabt::WastLexer::CreateBufferLexer(name, source.text().data(),
                                                    source.text().size(), &errors);
    if (wabt::Failed(wabt::ParseWatModule(lexer.get(), &module, &errors, &options)))
        return write_errors(fd, errors, source);
    wabt::MemoryStream stream;
    if (wabt::Failed(wabt::WriteBinaryModule(&stream, module.get(), write_options())))
        return write_errors(fd, errors, source);
    const wabt::OutputBuffer &binary = stream.output_buffer();
    return write_all(fd, binary.data.data(), binary.size()) ? WAT_DONE : WAT_FAILED;
}

wat_result wat_script_to_files(const char *name, const void *text, size_t length, int fd) {
    const WatSource source(text, length);
    wabt::Errors errors;
    std::unique_ptr<wabt::Script> script;
    wabt::WastParseOptions options(all_features());
    auto lexer = wabt::WastLexer::CreateBufferLexer(name, source.text().data(),
                                                    source.text().size(), &errors);
    if (wabt::Failed(wabt::ParseWastScript(lexer.get(), &script, &errors, &options)))
        return write_errors(fd, errors, source);
    wabt::MemoryStream json;
    std::vector<wabt::FilenameMemoryStreamPair> modules;
    if (wabt::Failed(wabt::WriteBinarySpecScript(&json, script.get(), name, "module",
                                                 write_options(), &modules)))
        return write_errors(fd, errors, source);
    if (!write_file(fd, "script.json", json.output_buffer()))
        return WAT_FAILED;
    for (const auto &module : modules)
        if (!write_file(fd, module.filename, module.stream->output_buffer()))
            return WAT_FAILED;
    return WAT_DONE;
}
