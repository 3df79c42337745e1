#include "broker/notify/webhook.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/notify/body_template.h"
#include "common/base/result.h"

namespace compositord::broker {

namespace {

constexpr std::size_t kSecretFileBytesMax = 64U << 10U;
constexpr std::chrono::hours kRetryAfterMax(24);

// Handles of libcurl that close themselves.
struct CloseEasy {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
struct CloseMulti {
  void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
};
struct CloseList {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, CloseEasy>;
using Multi = std::unique_ptr<CURLM, CloseMulti>;
using Headers = std::unique_ptr<curl_slist, CloseList>;

// Nobody reads what the receiver says beside its status, however much it is.
std::size_t swallow(char*, std::size_t size, std::size_t count, void*) { return size * count; }

// Only what every text of ours may show: whoever has the rest of a webhook's URL can post there.
std::string host_of(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  char* host = nullptr;
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return "the webhook";
  if (curl_url_get(parsed.get(), CURLUPART_HOST, &host, 0) != CURLUE_OK) return "the webhook";
  std::string text(host);
  curl_free(host);
  return text;
}

Result<std::string> read_secret(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(kSecretFileBytesMax, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.empty()) return fail(Status::kNotFound, fmt::format("{} can't be read or is empty", file));
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    while (line.ends_with('\r') || line.ends_with(' ')) line.pop_back();
    if (!line.empty()) lines.push_back(std::move(line));
    begin = end + 1;
  }
  return lines;
}

// Printable ASCII, all else as in a URL: names of outputs may have any character.
std::string header_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte > 0x20 && byte < 0x7f && c != '"' && c != '\\' && c != '%';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

// What one request is made of. libcurl copies none of it: it lives as long as the request.
struct Request {
  std::string url;
  std::string body;
  Headers headers;
  void add_header(const std::string& line) {
    curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr) return;
    static_cast<void>(headers.release());
    headers.reset(longer);
  }
};

Result<Request> make_request(const NotifierConfig& config, const Notification& n) {
  Request request;
  request.url = config.url;
  if (!config.url_file.empty()) {
    const Result<std::string> url = read_secret(config.url_file);
    if (!url) return tl::unexpected<Error>(url.error());
    const std::vector<std::string> lines = lines_of(*url);
    request.url = lines.empty() ? std::string() : lines.front();
  }
  request.body = config.body.empty() ? n.json : fill_template(config.body, n);
  request.add_header("Content-Type: application/json");
  request.add_header("Expect:");  // no asking beforehand: the body is short
  request.add_header(fmt::format("Idempotency-Key: \"{}\"", header_text(n.dedupe)));
  for (const auto& [name, value] : config.headers) request.add_header(fmt::format("{}: {}", name, value));
  if (config.headers_file.empty()) return request;
  const Result<std::string> headers = read_secret(config.headers_file);
  if (!headers) return tl::unexpected<Error>(headers.error());
  for (const std::string& line : lines_of(*headers)) request.add_header(line);
  return request;
}

// libcurl keeps back Authorization and Cookie from another host, and no other header: whose words they are must not be told
// to whomever a redirect names.
bool follows_redirects(const NotifierConfig& config) { return config.headers.empty() && config.headers_file.empty(); }

void set_options(CURL* easy, const Request& request, const NotifierConfig& config, Duration timeout, char* why) {
  const bool secure = request.url.starts_with("https:");
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request.headers.get());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "compositord");
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, follows_redirects(config) ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, static_cast<long>(config.redirects));
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  curl_easy_setopt(easy, CURLOPT_POSTREDIR, long{CURL_REDIR_POST_301 | CURL_REDIR_POST_302});
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(1, to_ms(timeout))));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a name server that does not answer holds nobody
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &swallow);
}

// The transfer's own result; nothing when it was stopped.
std::optional<CURLcode> run(CURLM* multi, CURL* easy, int stop_fd) {
  curl_multi_add_handle(multi, easy);
  CURLcode code = CURLE_FAILED_INIT;
  bool stopped = false;
  for (int running = 1; running > 0 && !stopped;) {
    curl_multi_perform(multi, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg == CURLMSG_DONE) code = message->data.result;
    }
    if (running == 0) break;
    curl_waitfd stop{stop_fd, CURL_WAIT_POLLIN, 0};
    constexpr int kPollMs = 1'000;  // libcurl wakes earlier for its own timers
    curl_multi_poll(multi, &stop, 1, kPollMs, nullptr);
    stopped = stop.revents != 0;
  }
  curl_multi_remove_handle(multi, easy);
  if (stopped) return std::nullopt;
  return code;
}

// Errors that another attempt will meet again.
bool is_final(CURLcode code) {
  return code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT;
}

Attempt judge(CURL* easy, const std::string& host) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 200 && status < 300) return {Attempt::End::kDelivered, {}, {}};
  Attempt attempt{Attempt::End::kRefused, fmt::format("{} answered HTTP {}", host, status), {}};
  const char* elsewhere = nullptr;  // only when libcurl was not to follow
  curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &elsewhere);
  if (elsewhere != nullptr) {
    attempt.error += fmt::format(
        ", a redirect to {}; it is not followed, for it would get this notifier's headers: "
        "set the URL to where it leads",
        host_of(elsewhere));
  }
  const bool later = status == 408 || status == 425 || status == 429 || status >= 500;
  if (!later) return attempt;
  attempt.end = Attempt::End::kFailed;
  curl_off_t seconds = 0;
  curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds);
  const auto most = std::chrono::seconds(kRetryAfterMax);
  attempt.retry_after = std::min<Duration>(std::chrono::seconds(std::min<curl_off_t>(seconds, most.count())), most);
  return attempt;
}

}  // namespace

Webhook::Webhook(NotifierConfig config) : config_(std::move(config)) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

Attempt Webhook::attempt(const Notification& notification, Duration timeout, int stop_fd) {
  Result<Request> request = make_request(config_, notification);
  if (!request) return {Attempt::End::kFailed, request.error().text, {}};
  const Easy easy(curl_easy_init());
  const Multi multi(curl_multi_init());
  if (!easy || !multi) return {Attempt::End::kFailed, "no memory for an HTTP request", {}};
  std::array<char, CURL_ERROR_SIZE> why{};
  set_options(easy.get(), *request, config_, timeout, why.data());
  const std::optional<CURLcode> code = run(multi.get(), easy.get(), stop_fd);
  if (!code) return {Attempt::End::kStopped, {}, {}};
  const std::string host = host_of(request->url);
  if (*code == CURLE_OK) return judge(easy.get(), host);
  const std::string text = why[0] != '\0' ? why.data() : curl_easy_strerror(*code);
  return {is_final(*code) ? Attempt::End::kRefused : Attempt::End::kFailed, fmt::format("{}: {}", host, text), {}};
}

}  // namespace compositord::broker
