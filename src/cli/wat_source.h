/*
 * Text as libwabt 1.0.32 reads it: C++, for wat.cc. Instructions on tables may leave out the index of
 * table 0 (section 6.5.6), which that version asks for after table.get, table.set, table.size, table.grow
 * and table.fill. It is put there, and locations are given as they are in the text without.
 */
#ifndef CATNAP_CLI_WAT_SOURCE_H
#define CATNAP_CLI_WAT_SOURCE_H

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

class WatSource {
  public:
    WatSource(const void *text, size_t length)
        : at_(static_cast<const char *>(text)), end_(at_ + length) {
        text_.reserve(length);
        while (at_ < end_)
            take_token();
    }

    const std::string &text() const {
        return text_;
    }

    /* The column, in the text as it was given, of what is here at a line and a column from 1. */
    int column(int line, int column) const {
        int moved = 0;
        for (const auto &[inserted_line, inserted_column] : inserted_)
            if (inserted_line == line && inserted_column < column)
                moved += static_cast<int>(index.size());
        return column - moved;
    }

  private:
    static constexpr std::string_view index = " 0";

    static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
    }

    bool begins(const char *at, std::string_view word) const {
        return static_cast<size_t>(end_ - at) >= word.size() &&
               std::string_view(at, word.size()) == word;
    }

    /* Behind the block comment at `at`, which may contain others. */
    const char *skip_comment(const char *at) const {
        size_t depth = 0;
        while (at < end_) {
            size_t step = begins(at, "(;") || begins(at, ";)") ? 2 : 1;
            depth += begins(at, "(;");
            depth -= begins(at, ";)");
            at += step;
            if (depth == 0)
                break;
        }
        return at;
    }

    /* Behind a blank or a comment at `at`; `at` when there is none. */
    const char *skip_gap(const char *at) const {
        if (at < end_ && is_blank(*at))
            return at + 1;
        if (begins(at, "(;"))
            return skip_comment(at);
        if (begins(at, ";;"))
            while (at < end_ && *at != '\n')
                at++;
        return at;
    }

    const char *skip_string(const char *at) const {
        for (at++; at < end_ && *at != '"'; at++)
            if (*at == '\\' && at + 1 < end_)
                at++;
        return at < end_ ? at + 1 : end_;
    }

    const char *skip_word(const char *at) const {
        while (at < end_ && !is_blank(*at) &&
               std::string_view("()\";").find(*at) == std::string_view::npos)
            at++;
        return at;
    }

    /* Whether the word takes the index of a table, and what comes behind it is none. */
    bool lacks_index(std::string_view word, const char *behind) const {
        static constexpr std::string_view words[] = {"table.get", "table.set", "table.size",
                                                     "table.grow", "table.fill"};
        bool takes = false;
        for (std::string_view one : words)
            takes = takes || word == one;
        if (!takes)
            return false;
        for (const char *next; (next = skip_gap(behind)) != behind;)
            behind = next;
        return behind == end_ || (*behind != '$' && (*behind < '0' || *behind > '9'));
    }

    void copy_to(const char *end) {
        text_.append(at_, end);
        for (; at_ < end; at_++) {
            column_ = *at_ == '\n' ? 1 : column_ + 1;
            line_ += *at_ == '\n';
        }
    }

    void take_token() {
        const char *end = skip_gap(at_);
        if (end == at_)
            end = *at_ == '"' ? skip_string(at_) : skip_word(at_);
        if (end == at_) /* a parenthesis or a lonely semicolon */
            end++;
        bool lacks = lacks_index({at_, static_cast<size_t>(end - at_)}, end);
        copy_to(end);
        if (!lacks)
            return;
        inserted_.emplace_back(line_, column_);
        text_ += index;
        column_ += static_cast<int>(index.size());
    }

    const char *at_, *end_;
    int line_ = 1, column_ = 1; /* of what comes next in text_ */
    std::string text_;
    std::vector<std::pair<int, int>> inserted_; /* the line and the column of each index */
};

#endif
