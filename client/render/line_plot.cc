#include "client/render/line_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace prefixmem::client {
namespace {

// Pixels.
constexpr double kWidth = 480, kHeight = 220, kLeft = 70, kRight = 130, kTop = 40, kBottom = 46;
constexpr double kTick = 5, kRow = 16;
constexpr size_t kNamed = 8;     // lines in a legend, about
constexpr double kSlack = 1e-9;  // so that rounding loses no tick

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string colour(size_t index, size_t count) {
  const double t = count < 2 ? 0 : static_cast<double>(index) / static_cast<double>(count - 1);
  const auto mixed = [&](double from, double to) { return std::lround(from + t * (to - from)); };
  return fmt::format("#{:02x}{:02x}{:02x}", mixed(36, 214), mixed(86, 104), mixed(150, 28));
}

// 1, 2 or 5 times a power of ten, about a fifth of `span`.
double nice_step(double span) {
  const double power = std::pow(10, std::floor(std::log10(span / 5)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (span / (factor * power) <= 6) return factor * power;
  }
  return 10 * power;
}

// A range of one axis in its own units: the number, under log_y its decimal logarithm.
struct Axis {
  double low = 0, high = 1, step = 0.2;

  double share(double value) const { return (value - low) / (high - low); }

  // Its multiples of `step`.
  std::vector<double> ticks() const {
    std::vector<double> multiples;
    const auto last = std::llround(std::floor(high / step + kSlack));
    for (auto i = std::llround(std::ceil(low / step - kSlack)); i <= last; ++i) {
      multiples.push_back(static_cast<double>(i) * step);
    }
    return multiples;
  }
};

class Panel {
 public:
  Panel(const LinePlot& plot, double top) : plot_(plot), top_(top + kTop) {
    size_t longest = 2;
    double low = 0, high = 0;
    bool any = false;
    for (const Line& line : plot.lines) {
      longest = std::max(longest, line.values.size());
      for (const double value : line.values) {
        if (!is_shown(value)) continue;
        low = any ? std::min(low, height_of(value)) : height_of(value);
        high = any ? std::max(high, height_of(value)) : height_of(value);
        any = true;
      }
    }
    if (!plot.log_y) low = 0;
    if (high <= low) high = low + 1;
    x_ = {static_cast<double>(plot.first_x),
          static_cast<double>(plot.first_x + static_cast<int64_t>(longest) - 1), 1};
    x_.step = std::max(1.0, nice_step(x_.high - x_.low));
    y_ = {low, high, nice_step(high - low)};
    if (plot.log_y) y_.step = std::max(1.0, std::ceil(y_.step));
  }

  std::string svg() const {
    std::string out = fmt::format(
        "<text x=\"{}\" y=\"{}\" font-size=\"14\">{}</text>\n"
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n"
        "<path d=\"M{} {}V{}H{}\" fill=\"none\" stroke=\"#444\"/>\n",
        kLeft, top_ - 14, escaped(plot_.title), kLeft + kWidth / 2, top_ + kHeight + 36,
        escaped(plot_.x_label), kLeft, top_, top_ + kHeight, kLeft + kWidth);
    add_ticks(out);
    for (size_t i = 0; i < plot_.lines.size(); ++i) {
      out += fmt::format(
          "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" "
          "stroke-linecap=\"round\" stroke-linejoin=\"round\"/>\n",
          path_of(plot_.lines[i]), colour(i, plot_.lines.size()));
    }
    add_legend(out);
    return out;
  }

 private:
  bool is_shown(double value) const { return std::isfinite(value) && (!plot_.log_y || value > 0); }
  double height_of(double value) const { return plot_.log_y ? std::log10(value) : value; }
  double x_at(double x) const { return kLeft + x_.share(x) * kWidth; }
  double y_at(double height) const { return top_ + (1 - y_.share(height)) * kHeight; }

  void add_ticks(std::string& out) const {
    for (const double x : x_.ticks()) {
      out += fmt::format(
          "<path d=\"M{0:.1f} {1}v{2}\" stroke=\"#444\"/>"
          "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">{4:g}</text>\n",
          x_at(x), top_ + kHeight, kTick, top_ + kHeight + 19, x);
    }
    for (const double y : y_.ticks()) {
      out += fmt::format(
          "<path d=\"M{0} {1:.1f}h-{2}\" stroke=\"#444\"/>"
          "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
          kLeft, y_at(y), kTick, kLeft - 9, y_at(y) + 4,
          plot_.log_y ? fmt::format("1e{:g}", y) : fmt::format("{:.3g}", y));
    }
  }

  // A point between gaps is a dot: a line of no length with round ends.
  std::string path_of(const Line& line) const {
    std::string path;
    bool open = false;
    for (size_t i = 0; i < line.values.size(); ++i) {
      const double value = line.values[i];
      if (is_shown(value)) {
        const auto point = fmt::format("{:.1f} {:.1f}", x_at(x_.low + static_cast<double>(i)),
                                       y_at(height_of(value)));
        path += (open ? "L" : "M" + point + "L") + point;
      }
      open = is_shown(value);
    }
    return path;
  }

  void add_legend(std::string& out) const {
    const size_t count = plot_.lines.size(), every = (count + kNamed - 1) / kNamed;
    double y = top_ + 6;
    for (size_t i = 0; i < count; ++i) {
      if (i % every != 0 && i + 1 != count) continue;
      out += fmt::format(
          "<path d=\"M{0} {1}h14\" stroke=\"{2}\" stroke-width=\"3\"/>"
          "<text x=\"{3}\" y=\"{4}\">{5}</text>\n",
          kLeft + kWidth + 12, y, colour(i, count), kLeft + kWidth + 32, y + 4,
          escaped(plot_.lines[i].name));
      y += kRow;
    }
  }

  const LinePlot& plot_;
  const double top_;
  Axis x_, y_;
};

}  // namespace

std::string svg_of(const std::vector<LinePlot>& plots) {
  constexpr double kPanel = kTop + kHeight + kBottom;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<g fill=\"#222\">\n",
      kLeft + kWidth + kRight, kPanel * static_cast<double>(plots.size()));
  for (size_t i = 0; i < plots.size(); ++i) {
    out += Panel(plots[i], kPanel * static_cast<double>(i)).svg();
  }
  return out + "</g>\n</svg>\n";
}

}  // namespace prefixmem::client
